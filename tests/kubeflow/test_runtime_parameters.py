from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kubeflow.runtime_parameters import PREFIX, RuntimeParameter, add, placed, places_of, put

RATE = RuntimeParameter("rate", "NUMBER_DOUBLE", "training.rate", "the highest")


def step(rate: float, **further: Any) -> dict[str, Any]:
    inner = json.dumps({"rate": rate, "epochs": 3})
    return {"custom_config": json.dumps({"training": inner, "seed": 1}), **further}


def test_places_are_found_in_json_within_json() -> None:
    before = {"trainer": step(0.5), "transform": {"x": "1"}}
    after = {"trainer": step(0.25), "transform": {"x": "1"}}
    assert places_of(RATE, 0.25, before, after) == {
        "trainer": [("custom_config", "training", "rate")]
    }


def test_lists_are_counted() -> None:
    before = {"evaluator": {"config": json.dumps({"metrics": [{"at": 1}, {"at": 0.5}]})}}
    after = {"evaluator": {"config": json.dumps({"metrics": [{"at": 1}, {"at": 0.25}]})}}
    assert places_of(RATE, 0.25, before, after) == {"evaluator": [("config", "metrics", 1, "at")]}


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (step(0.75), r"trainer makes 0\.75 of its value 0\.25 at custom_config > training > rate"),
        ({"custom_config": "{}"}, r"trainer makes '\{\}' of its value 0\.25 at custom_config"),
        (step(0.5), "no step reads it"),
    ],
    ids=["derived", "another-form", "unread"],
)
def test_what_cannot_be_put_in_is_refused(after: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=rf"training\.rate cannot be a runtime parameter: {says}"):
        places_of(RATE, 0.25, {"trainer": step(0.5)}, {"trainer": after})


def test_a_value_is_put_in_its_place_and_nothing_else_changes() -> None:
    told = {"rate": {"compiled": 0.5, "places": [["custom_config", "training", "rate"]]}}
    given = {**step(0.5, other="{}"), f"{PREFIX}rate": 0.125}
    assert placed(given, told) == step(0.125, other="{}")


def test_the_compiled_value_leaves_the_text_as_it_is() -> None:
    told = {"data": {"compiled": "s3://bucket/ml-1m", "places": [["dataset"]]}}
    given = {"dataset": "ml-1m", "odd": '{"a" :1}', f"{PREFIX}data": "s3://bucket/ml-1m"}
    assert placed(given, told) == {"dataset": "ml-1m", "odd": '{"a" :1}'}


def test_whole_numbers_stay_whole() -> None:
    told = {"epochs": {"compiled": 3, "places": [["config", "epochs"]]}}
    changed = placed({"config": '{"epochs": 3}', f"{PREFIX}epochs": 7.0}, told)
    assert changed == {"config": '{"epochs": 7}'}


def test_a_parameter_without_a_value_is_named() -> None:
    with pytest.raises(ValueError, match="'epochs' has no value"):
        placed({}, {"epochs": {"compiled": 3, "places": []}})


_JSON = st.recursive(
    st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(around=st.dictionaries(st.text(), _JSON, max_size=3), value=st.integers(2, 99))
def test_what_is_found_can_be_put_back(around: dict[str, Any], value: int) -> None:
    def properties(epochs: int) -> dict[str, Any]:
        return {"config": json.dumps({"around": around, "epochs": epochs})}

    found = places_of(RATE, value, {"t": properties(1)}, {"t": properties(value)})["t"]
    assert found == [("config", "epochs")]
    changed = put(properties(1), found[0], value)
    assert json.loads(changed["config"]) == json.loads(properties(value)["config"])


def test_a_spec_hands_the_parameter_to_the_steps_that_read_it() -> None:
    spec: dict[str, Any] = {
        "root": {
            "dag": {
                "tasks": {
                    "trainer": {"inputs": {"parameters": {}}, "componentRef": {"name": "trainer"}},
                    "transform": {
                        "inputs": {"parameters": {}},
                        "componentRef": {"name": "transform"},
                    },
                }
            }
        },
        "components": {
            name: {"executorLabel": name, "inputDefinitions": {"parameters": {}}}
            for name in ("trainer", "transform")
        },
        "deploymentSpec": {
            "executors": {name: {"container": {"args": []}} for name in ("trainer", "transform")}
        },
    }
    add(spec, RATE, 0.5, {"trainer": [("custom_config", "rate")]})
    assert spec["root"]["inputDefinitions"]["parameters"]["rate"] == {
        "parameterType": "NUMBER_DOUBLE",
        "defaultValue": 0.5,
        "description": "the highest",
        "isOptional": True,
    }
    tasks = spec["root"]["dag"]["tasks"]
    assert tasks["trainer"]["inputs"]["parameters"] == {
        f"{PREFIX}rate": {"componentInputParameter": "rate"}
    }
    assert tasks["transform"]["inputs"]["parameters"] == {}
    flag, told = spec["deploymentSpec"]["executors"]["trainer"]["container"]["args"]
    assert flag == "--runtime_places"
    assert json.loads(told) == {"rate": {"compiled": 0.5, "places": [["custom_config", "rate"]]}}
    assert spec["deploymentSpec"]["executors"]["transform"]["container"]["args"] == []
