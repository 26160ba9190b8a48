"""Tags of a version as labels of Vertex AI, and back."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import RegistryError
from pipeline.registry.vertex_labels import from_labels, to_labels

VALUE = re.compile(r"[a-z0-9_-]{0,63}")


@pytest.mark.parametrize(
    ("value", "label"),
    [
        ("lstm", "lstm"),
        ("0.3386", "0_2e3386"),
        ("ml-1m", "ml-1m"),
        ("ML 25M.zip", "_4d_4c_2025_4d_2ezip"),
        ("a_b", "a_5fb"),
        ("é", "_c3_a9"),
        ("", ""),
    ],
)
def test_what_labels_cannot_hold_is_written_as_bytes(value: str, label: str) -> None:
    assert to_labels({"tag": value}) == {"tag": label}
    assert from_labels({"tag": label}) == {"tag": value}


def test_a_bundles_id_goes_on_in_a_second_label() -> None:
    bundle_id = "0123456789abcdef" * 4
    labels = to_labels({"bundle_id": bundle_id})
    assert labels == {"bundle_id": bundle_id[:63], "bundle_id--2": "f"}
    assert from_labels(labels) == {"bundle_id": bundle_id}


def test_tags_whose_names_cannot_be_keys_are_left_out() -> None:
    assert to_labels({"sha256/int8.tflite": "ab", "Upper": "x", "variant": "int8"}) == {
        "variant": "int8"
    }


def test_labels_of_others_come_as_they_are() -> None:
    others = {"team": "my_ads", "goog-kind--2": "a", "cost_centre": "x-1"}
    assert from_labels(others) == {"cost_centre": "x-1", "goog-kind--2": "a", "team": "my_ads"}


def test_more_labels_than_a_version_may_have_are_refused() -> None:
    with pytest.raises(RegistryError, match=r"take 65 labels.*64.*'dataset' \(4095 characters\)"):
        to_labels({"dataset": "x" * 63 * 65})
    assert len(to_labels({"dataset": "x" * 63 * 64})) == 64


@given(
    st.dictionaries(
        st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True), st.text(max_size=200), max_size=3
    )
)
def test_no_tag_is_lost(tags: dict[str, str]) -> None:
    labels = to_labels(tags)
    assert all(VALUE.fullmatch(value) for value in labels.values())
    assert from_labels(labels) == tags
