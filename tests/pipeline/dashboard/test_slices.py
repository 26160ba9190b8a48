from __future__ import annotations

import math

import pytest

from pipeline.dashboard import comparison, glossary, quality_tables, quality_views, slices
from pipeline.dashboard.evaluation import Evaluation, Threshold


def evaluation(**by_slice: dict[str, float]) -> Evaluation:
    return Evaluation(by_slice, (), True)


def test_a_slices_name_gives_family_and_label() -> None:
    head = slices.parse("popularity_segment=head", 188.0)
    assert (head.family, head.label, head.windows) == ("popularity_segment", "head", 188)
    everything = slices.parse("overall", 600.0)
    assert (everything.family, everything.label) == ("overall", "everything")
    crossed = slices.parse("genre=Comedy, history_segment=1-9", math.nan)
    assert (crossed.family, crossed.label) == ("genre × history_segment", "Comedy × 1-9")  # noqa: RUF001
    assert crossed.windows is None
    comma = slices.parse("title=Good, the Bad, year=1966", 3.0)
    assert comma.label == "Good, the Bad × 1966"  # noqa: RUF001


def test_a_slice_of_few_windows_is_small() -> None:
    assert slices.parse("genre=War", 99.0).is_small
    assert not slices.parse("genre=War", 100.0).is_small
    assert not slices.parse("genre=War", None).is_small


def test_families_are_named_for_readers_whatever_they_are() -> None:
    found = [
        slices.parse(name, 1.0) for name in ("overall", "target_genre=War", "release_year=1990")
    ]
    assert slices.families(found) == {
        "overall": "Everything",
        "target_genre": "Genre of the target",
        "release_year": "Release year",
    }


def test_recall_has_wilsons_interval_and_other_metrics_have_none() -> None:
    values = {"windows": 100.0, "recall_at_10": 0.1, "mrr": 0.1, "recall_at_10_popularity": 0.0}
    found = {m.metric: m for m in slices.measures(evaluation(overall=values))}
    # 10 of 100: centre (0.1 + 0.0192073) / 1.0384146 = 0.114797, half 0.059602.
    assert found["recall_at_10"].low == pytest.approx(0.055229, abs=1e-5)
    assert found["recall_at_10"].high == pytest.approx(0.174366, abs=1e-4)
    # 0 of 100: from 0 to z^2 / (100 + z^2) = 3.84146 / 103.84146.
    assert found["recall_at_10_popularity"].low == 0.0
    assert found["recall_at_10_popularity"].high == pytest.approx(0.036994, abs=1e-5)
    assert (found["mrr"].low, found["mrr"].high) == (None, None)
    assert "windows" not in found


def test_what_has_no_value_is_left_out_and_without_windows_there_is_no_interval() -> None:
    found = slices.measures(
        evaluation(
            overall={"windows": 0.0, "recall_at_10": math.nan, "mrr": 0.5},
            odd={"recall_at_10": 0.5},
        )
    )
    assert [(m.slice.name, m.metric, m.low) for m in found] == [
        ("odd", "recall_at_10", None),
        ("overall", "mrr", None),
    ]


def test_differences_from_the_others_by_hand() -> None:
    rows = comparison.compare(
        evaluation(
            overall={
                "windows": 400.0,
                "recall_at_10": 0.25,
                "recall_at_10_popularity": 0.0625,
                "recall_at_10_float32": 0.3125,
                "recall_at_10_blessed": math.nan,
            },
            **{"genre=War": {"windows": 8.0, "recall_at_10": 0.5}},
        )
    )
    assert comparison.references(rows) == ["popularity", "float32"]
    whole, war = rows
    assert whole.difference("popularity") == 0.1875
    assert whole.difference("float32") == -0.0625
    assert whole.difference("blessed") is None
    assert war.difference("popularity") is None


def test_a_difference_is_coloured_where_it_is_more_than_the_models_own_uncertainty() -> None:
    # 100 of 400: 95% of them between 0.2101 and 0.2947.
    values = {"windows": 400.0, "recall_at_10": 0.25, "recall_at_10_popularity": 0.0625}
    values |= {"recall_at_10_float32": 0.3125, "recall_at_10_blessed": 0.28}
    rows = comparison.compare(evaluation(overall=values))
    names = {comparison.MODEL: "this model", **glossary.RECOMMENDERS}
    (row,) = quality_tables.compared(rows, names, 10).rows
    assert [(cell.text, cell.kind, cell.note) for cell in row.cells[3:]] == [
        ("+0.1875", "good", "(0.0625)"),
        ("\N{MINUS SIGN}0.0625", "bad", "(0.3125)"),
        ("\N{MINUS SIGN}0.0300", "", "(0.2800)"),
    ]


def test_recall_by_k_goes_by_recommender_and_rises_in_k() -> None:
    curves = comparison.recall_by_k(
        evaluation(
            overall={
                "windows": 10.0,
                "recall_at_50": 0.9,
                "recall_at_5": 0.2,
                "recall_at_10_popularity": 0.1,
                "recall_change_from_float32_at_10": 0.0,
            }
        )
    )
    assert {key: [(k, m.value) for k, m in points] for key, points in curves.items()} == {
        "model": [(5, 0.2), (50, 0.9)],
        "popularity": [(10, 0.1)],
    }
    assert comparison.recall_by_k(evaluation()) == {}


def test_of_many_slices_the_first_family_is_shown_at_first() -> None:
    def first(count: int) -> str:
        names = ["overall", *(f"genre={n}" for n in range(count - 2)), "decade=1990"]
        found = evaluation(**{name: {"windows": 1.0} for name in names})
        chosen = quality_views.families(found)
        assert chosen.choices == [("genre", "Genre"), ("decade", "Decade")]
        return chosen.first

    assert first(16) == "*"
    assert first(17) == "genre"


def test_metrics_are_explained_and_an_unknown_one_keeps_its_name() -> None:
    recall = glossary.metric("recall_at_5_blessed")
    assert (recall.label, recall.group) == ("Recall@5 of champion", glossary.OF_OTHERS)
    assert glossary.metric("recall_change_from_float32_at_10").group == glossary.DIFFERENCES
    assert not glossary.metric("recall_change_from_float32_at_10").is_share
    assert glossary.metric("ndcg_at_20").label == "NDCG@20"
    int4 = glossary.metric("recall_at_10_int4")
    assert (int4.label, int4.group) == ("Recall@10 of int4", glossary.OF_VARIANTS)
    assert int4.is_share
    drop = glossary.metric("recall_change_of_int8_full_from_float32_at_10")
    assert (drop.label, drop.group) == (
        "Recall@10 of int8_full against float32",
        glossary.DIFFERENCES,
    )
    unknown = glossary.metric("recall_by_tomorrow")
    assert (unknown.label, unknown.meaning) == ("recall_by_tomorrow", "")


@pytest.mark.parametrize(
    ("value", "lower", "upper", "margin", "words"),
    [
        (0.25, 0.125, None, 0.125, "at least 0.125"),
        (0.25, None, 0.125, -0.125, "at most 0.125"),
        (0.25, 0.0, 0.375, 0.125, "at least 0 and at most 0.375"),
        (None, 0.125, None, None, "at least 0.125"),
        (math.nan, 0.125, None, None, "at least 0.125"),
    ],
)
def test_a_thresholds_margin(
    value: float | None, lower: float | None, upper: float | None, margin: float | None, words: str
) -> None:
    threshold = Threshold("mrr", value, lower, upper, True)
    assert (threshold.margin, threshold.bound) == (margin, words)
