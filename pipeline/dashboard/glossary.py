"""Names of metrics, slices and recommenders in the words of a reader, a line each."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

GATED_K = 10
RECALL = f"recall_at_{GATED_K}"

RECOMMENDERS: Mapping[str, str] = {
    "popularity": "popularity",
    "recent_popularity": "recent popularity",
    "float32": "float32",
    "blessed": "champion",
}
"""What a model is compared with: key in the metrics' names, and what it is called."""

OF_THE_MODEL = "This model"
OF_OTHERS = "What it is compared with"
OF_VARIANTS = "Its other variants"
DIFFERENCES = "Differences"

_RECALL = re.compile(r"recall_at_(\d+)(?:_(\w+))?")
_CHANGE = re.compile(r"recall_change_from_(\w+)_at_(\d+)")
_VARIANT_CHANGE = re.compile(r"recall_change_of_(\w+)_from_float32_at_(\d+)")
_MARGIN = re.compile(r"recall_margin_over_popularity_at_(\d+)")
_NDCG = re.compile(r"ndcg_at_(\d+)")
_COVERAGE = re.compile(r"catalogue_coverage_at_(\d+)")

_REFERENCE_MEANINGS = {
    "popularity": "recommends what was watched most in all of the training data",
    "recent_popularity": "recommends what was watched most in the days before",
    "float32": "is this model without quantization",
    "blessed": "is the model that the gate let through last",
}

_FAMILIES = {
    "overall": "Everything",
    "popularity_segment": "Popularity of the target",
    "history_segment": "Length of the history",
    "target_genre": "Genre of the target",
    "target_decade": "Decade of the target's release",
    "user_gender": "Gender of the user",
    "user_age": "Age group of the user",
    "user_occupation": "Occupation of the user",
}

_FAMILY_MEANINGS = {
    "popularity_segment": (
        "head: the most watched movies that make up a third of all training events; torso: the "
        "second third; tail: all others; unknown: not in the vocabulary, always a miss"
    ),
    "history_segment": "events that are known of the user before the target",
    "target_genre": "a window counts once for each genre of its movie, so counts add up to more",
}


@dataclasses.dataclass(frozen=True)
class Metric:
    """What a metric is.

    Attributes:
        name: In the evaluation.
        label: For a heading.
        meaning: One line; empty where the metric is not known here.
        group: `OF_THE_MODEL`, `OF_OTHERS`, `OF_VARIANTS` or `DIFFERENCES`.
        k: How far down the list it looks; None where it has no K.
        reference: The recommender that it belongs to, a key of `RECOMMENDERS` or another variant's
            name; "" for the model.
        is_share: Whether it is a share of the windows, so that an interval can be told.
    """

    name: str
    label: str
    meaning: str = ""
    group: str = OF_THE_MODEL
    k: int | None = None
    reference: str = ""
    is_share: bool = False


def metric(name: str) -> Metric:
    """Describes a metric by its name; one that is not known is called by it."""
    if found := _RECALL.fullmatch(name):
        return _recall(name, int(found[1]), found[2] or "")
    if found := _MARGIN.fullmatch(name):
        meaning = f"recall@{found[1]} minus that of the better of the two popularity recommenders"
        label = f"Recall@{found[1]} over popularity"
        return Metric(name, label, meaning, DIFFERENCES, int(found[1]))
    if found := _CHANGE.fullmatch(name):
        other = recommender(found[1])
        meaning = f"recall@{found[2]} minus that of the {other} model"
        if found[1] == "blessed":
            meaning += "; 0 where there is none"
        label = f"Recall@{found[2]} against {other}"
        return Metric(name, label, meaning, DIFFERENCES, int(found[2]), found[1])
    if found := _VARIANT_CHANGE.fullmatch(name):
        meaning = f"recall@{found[2]} of the variant {found[1]} minus that of float32"
        label = f"Recall@{found[2]} of {found[1]} against float32"
        return Metric(name, label, meaning, DIFFERENCES, int(found[2]), found[1])
    if found := _NDCG.fullmatch(name):
        meaning = f"like recall@{found[1]}, but a hit counts less the further down it stands"
        return Metric(name, f"NDCG@{found[1]}", meaning, k=int(found[1]))
    if found := _COVERAGE.fullmatch(name):
        meaning = f"share of the catalogue that reaches the first {found[1]} of some window"
        return Metric(name, f"Coverage@{found[1]}", meaning, k=int(found[1]))
    if name == "mrr":
        return Metric(name, "MRR", "mean of 1 / the target's place in the list, 0 for a miss")
    if name == "windows":
        return Metric(name, "Test windows", "histories with one target each that were evaluated")
    return Metric(name, name)


def _recall(name: str, k: int, reference: str) -> Metric:
    if reference and reference not in RECOMMENDERS:
        meaning = f"the same of the variant {reference}"
        label = f"Recall@{k} of {reference}"
        return Metric(name, label, meaning, OF_VARIANTS, k, reference, True)
    meaning = f"share of test windows whose target is among the first {k}"
    if not reference:
        return Metric(name, f"Recall@{k}", meaning, k=k, is_share=True)
    other = recommender(reference)
    meaning = f"the same of the recommender that {_REFERENCE_MEANINGS[reference]}"
    return Metric(name, f"Recall@{k} of {other}", meaning, OF_OTHERS, k, reference, True)


def recommender(key: str) -> str:
    """Names a recommender."""
    return RECOMMENDERS.get(key, key)


def family(key: str) -> str:
    """Names a family of slices, as `popularity_segment` or two features joined by a cross."""
    parts = key.split(" × ")  # noqa: RUF001
    return " × ".join(  # noqa: RUF001
        _FAMILIES.get(part, part.replace("_", " ").capitalize()) for part in parts
    )


def family_meaning(key: str) -> str:
    """Says what the values of a family stand for; empty where that is not known here."""
    return _FAMILY_MEANINGS.get(key, "")
