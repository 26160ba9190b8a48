"""Which variants ship: by hand, at the limit, and without a measurement."""

from __future__ import annotations

import pytest

from components.registry_pusher.conversion import Conversion, VariantReport
from components.registry_pusher.shipping import figures, left_out
from pipeline.config.delivery import GateConfig

GATE = GateConfig(max_drop_from_float32=0.25, max_drop_of_variant={"float16": 0.125})


def conversion(*names: str, gated: str = "int8") -> Conversion:
    report = VariantReport(bytes=1, sha256="0" * 64, parity={})
    return Conversion(
        history_length=10,
        padding="left",
        min_history=1,
        min_rating=0.0,
        top_k=10,
        gated=gated,
        variants=dict.fromkeys(("float32", gated, *names), report),
    )


def measured(**changes: float | None) -> dict[str, dict[str, float | None]]:
    overall: dict[str, float | None] = {"recall_at_10": 0.5, "recall_at_10_float32": 0.5}
    for name, change in changes.items():
        overall[f"recall_change_of_{name}_from_float32_at_10"] = change
        overall[f"recall_at_10_{name}"] = None if change is None else 0.5 + change
    return {"overall": overall}


@pytest.mark.parametrize(
    ("change", "ships"), [(0.0, True), (0.1, True), (-0.125, True), (-0.1251, False)]
)
def test_a_variant_may_drop_by_its_own_limit(change: float, ships: bool) -> None:
    found = left_out(conversion("float16"), measured(float16=change), GATE)
    assert (found == {}) == ships


def test_who_has_no_limit_of_its_own_has_that_of_the_gated_variant() -> None:
    assert left_out(conversion("int4"), measured(int4=-0.25), GATE) == {}
    assert left_out(conversion("int4"), measured(int4=-0.375), GATE) == {
        "int4": "its recall@10 on the test windows, 0.1250, is 0.3750 below that of float32; "
        "0.25 is allowed"
    }


def test_what_was_not_measured_stays_out() -> None:
    reason = "its recall@10 on the test windows was not measured"
    assert left_out(conversion("int4"), measured(), GATE) == {"int4": reason}
    assert left_out(conversion("int4"), measured(int4=None), GATE) == {"int4": reason}


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        (
            "it gives other scores\nat step 3",
            "the converter could not make it: it gives other scores",
        ),
        ("variant int4 of /home/me/model: it ended", "the converter could not make it"),
        ("C:\\models: gone", "the converter could not make it"),
    ],
)
def test_what_was_not_made_stays_out_with_a_reason_without_paths(told: str, reason: str) -> None:
    given = conversion().model_copy(update={"not_made": {"int4": told}})
    assert left_out(given, measured(), GATE) == {"int4": reason}


def test_float32_and_the_gated_variant_ship_with_every_blessed_model() -> None:
    metrics = {"overall": {"recall_at_10": 0.1, "recall_change_from_float32_at_10": -0.9}}
    assert left_out(conversion(), metrics, GATE) == {}
    assert left_out(conversion(gated="float32"), metrics, GATE) == {}


def test_figures_of_the_gated_variant_of_float32_and_of_others() -> None:
    metrics = measured(int4=-0.125)
    metrics["overall"]["recall_at_10"] = 0.4375
    metrics["overall"]["recall_change_from_float32_at_10"] = -0.0625
    shown = {
        name: figures(conversion("int4"), metrics, name) for name in ("float32", "int8", "int4")
    }
    assert {
        name: (one["recall_at_10"], one["recall_change_from_float32"])
        for name, one in shown.items()
    } == {"float32": (0.5, 0.0), "int8": (0.4375, -0.0625), "int4": (0.375, -0.125)}
    gated = figures(conversion(gated="float32"), metrics, "float32")
    assert (gated["recall_at_10"], gated["recall_change_from_float32"]) == (0.4375, 0.0)


def test_segments_come_from_head_to_tail() -> None:
    metrics = measured()
    for segment, recall in (("unknown", 0.0), ("tail", 0.125), ("head", 0.75), ("torso", 0.25)):
        metrics[f"popularity_segment={segment}"] = {"recall_at_10": recall}
    found = figures(conversion(), metrics, "int8")["recall_at_10_by_popularity"]
    assert list(found.items()) == [
        ("head", 0.75),
        ("torso", 0.25),
        ("tail", 0.125),
        ("unknown", 0.0),
    ]
