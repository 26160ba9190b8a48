"""Two spans' statistics of TensorFlow Data Validation, and what is too far apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from components.data_gate.drift import Drift, Measured, measure
from components.data_gate.executor import REPORT_FILE
from pipeline.config.spans import DriftConfig
from pipeline.errors import GateError
from tests.components.data_gate.test_data_gate import CLEAN, run_gate, statistics

Values = Mapping[str, list[Any]]


def did(
    number: int, movies: str, stars: Sequence[float] | None = None, **further: list[Any]
) -> Values:
    """What a user did in a span: a letter a movie."""
    return {
        "user_id": [1],
        "span": [number],
        "events": [len(movies)],
        "movie": [letter.encode() for letter in movies],
        "rating": list(stars or [3.0] * len(movies)),
        "new_movie": [0] * len(movies),
        **further,
    }


def compare(newest: Sequence[Values], before: Sequence[Values], **limits: float | None) -> Drift:
    return measure(
        statistics(newest).datasets[0],
        statistics(before).datasets[0],
        DriftConfig.model_validate(limits),
    )


def by_feature(drift: Drift) -> dict[str, Measured]:
    return {one.feature: one for one in drift.measured}


def test_equal_spans_are_no_distance_apart() -> None:
    drift = compare([did(5, "aab")], [did(3, "aab")])

    assert (drift.newest, drift.before) == (5, 3)
    assert {one.feature: one.value for one in drift.measured} == {
        "rating": 0.0,
        "movie": 0.0,
        "new_movie": 0.0,
    }
    assert drift.problems() == []


def test_the_largest_change_of_a_movies_share_counts() -> None:
    # a: 5 of 10 events, then 8 of 10; b: 5 of 10, then 1; c: none, then 1.
    drift = compare([did(2, "aaaaaaaabc")], [did(1, "aaaaabbbbb")], movie=0.39)

    movie = by_feature(drift)["movie"]
    assert movie.value == pytest.approx(0.4)
    [problem] = drift.problems()
    assert (problem.split, problem.feature) == ("span_newest", "movie")
    assert problem.reason == (
        "the largest change of a value's share of span 2 from span 1 is 0.4000, above the limit "
        "0.39 ('b' changed most)"
    )
    assert "data.spans.newest=1" in problem.remedy
    assert "raise data.drift.movie" in problem.remedy
    assert compare([did(2, "aaaaaaaabc")], [did(1, "aaaaabbbbb")], movie=0.41).problems() == []


def test_stars_that_have_nothing_in_common_are_as_far_apart_as_can_be() -> None:
    drift = compare([did(2, "abc", [5.0] * 3)], [did(1, "abc", [1.0] * 3)])
    assert by_feature(drift)["rating"].value == pytest.approx(1.0)
    assert [problem.feature for problem in drift.problems()] == ["rating"]


def test_the_divergence_of_stars_is_in_bits() -> None:
    # P = (3/4, 1/4) and Q = (1/2, 1/2), so M = (5/8, 3/8), and half of the sum of
    # 3/4 log2(6/5) + 1/4 log2(2/3) and 1/2 log2(4/5) + 1/2 log2(4/3) is 0.048795; TFDV's
    # is approximate.
    stars = [1.0, 1.0, 1.0, 5.0], [1.0, 5.0, 1.0, 5.0]
    drift = compare([did(2, "abab", stars[0])], [did(1, "abab", stars[1])], rating=0.048)
    assert by_feature(drift)["rating"].value == pytest.approx(0.048795, rel=2e-3)
    assert [problem.feature for problem in drift.problems()] == ["rating"]


def test_users_with_other_numbers_of_events_are_seen() -> None:
    drift = compare([did(2, "a" * 50)], [did(1, "a")], events=0.9)
    assert [problem.feature for problem in drift.problems()] == ["events"]


def test_the_share_of_new_movies_is_over_events() -> None:
    newest = [did(2, "aa", new_movie=[0, 0]), did(2, "bbb", new_movie=[1, 1, 0])]
    drift = compare(newest, [did(1, "aabbb")], new_movies=0.39)
    assert by_feature(drift)["new_movie"].value == pytest.approx(0.4)
    [problem] = drift.problems()
    assert "no earlier span lists of span 2 is 0.4000" in problem.reason


def test_user_attributes_are_compared_where_both_have_them() -> None:
    women = [did(2, "a", user_gender=[b"F"], user_age=[25])]
    both = [did(1, "a", user_gender=[b"F"], user_age=[25]), did(1, "a", user_gender=[b"M"])]

    drift = compare(women, both, user_attributes=0.4)
    assert by_feature(drift)["user_gender"].value == pytest.approx(0.5)
    assert [problem.feature for problem in drift.problems()] == ["user_gender"]

    assert compare(women, [did(1, "a")]).problems() == []
    [gender, age] = compare([did(2, "a")], both).problems()
    assert (gender.feature, age.feature) == ("user_gender", "user_age")
    assert gender.reason == "span 2 has no value of it, and span 1 has"


def test_what_has_no_limit_is_not_compared() -> None:
    limits = dict.fromkeys(DriftConfig.model_fields)
    drift = compare([did(2, "a", [5.0])], [did(1, "b", [1.0])], **limits)
    assert drift.measured == ()
    assert drift.problems() == []


def test_the_gate_lets_a_new_span_pass_and_says_how_far_it_is(tmp_path: Path) -> None:
    spans = {"span_newest": [did(8, "aab")], "span_before": [did(7, "aab")]}

    report = run_gate(tmp_path, {**CLEAN, **spans})

    drift = json.loads((Path(report.uri) / REPORT_FILE).read_text())["drift"]
    assert (drift["newest"], drift["before"]) == (8, 7)
    assert drift["measured"][0] == {
        "feature": "rating",
        "distance": "jensen_shannon",
        "value": 0.0,
        "limit": 0.1,
        "setting": "rating",
    }
    told = report.get_string_custom_property("drift")
    assert told.startswith("span 8 against span 7: rating 0.0000 of 0.1, movie 0.0000 of 0.05")


def test_the_gate_stops_a_run_whose_new_span_drifted(tmp_path: Path) -> None:
    spans = {
        "span_newest": [did(8, "aab", [5.0, 5.0, 5.0])],
        "span_before": [did(7, "aab", [1.0, 2.0, 3.0])],
    }
    with pytest.raises(GateError) as raised:
        run_gate(tmp_path, {**CLEAN, **spans})
    assert "stopped the run before training, 1 problem(s)" in str(raised.value)
    assert "feature 'rating': the Jensen-Shannon divergence of span 8 from span 7 is 1.0000" in str(
        raised.value
    )
    assert list((tmp_path / "report").iterdir()) == []
