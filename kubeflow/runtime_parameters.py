"""Runtime parameters: settings that a run of a compiled pipeline may change.

A spec holds the settings of each step in its execution properties, most of them as JSON within
JSON. Where a parameter's value stands there is not listed by hand: the pipeline is compiled once
more with another value, and what differs are the places. A step gets the parameters that it has
places for and no others, so that changing one leaves the cached results of the other steps alone.
In the container, `kubeflow.entrypoint` puts the run's values in their places.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

Kind = Literal["STRING", "NUMBER_INTEGER", "NUMBER_DOUBLE"]

# Of the inputs of a step, so that no property of it is met by chance.
PREFIX = "runtime_"
FLAG = "--runtime_places"

# From the name of an execution property down through objects and lists; text that is JSON is read.
Place = tuple[str | int, ...]


@dataclasses.dataclass(frozen=True)
class RuntimeParameter:
    """A setting that a run may change.

    Attributes:
        name: As the run's form shows it.
        kind: Its type in the spec.
        key: Its key path in the configuration.
        description: What it is, for the run's form.
    """

    name: str
    kind: Kind
    key: str
    description: str

    def others(self, value: Any) -> list[Any]:
        """Returns values of the same type that stand nowhere in a pipeline by chance."""
        if self.kind == "STRING":
            plain = f"https://another.invalid/{self.name}"
            return [plain, f"{plain}-{{SPAN}}"]
        if self.kind == "NUMBER_INTEGER":
            return [value + 1, value - 1]
        return [value * 0.75, value + 0.0625]


PARAMETERS = (
    RuntimeParameter(
        "data",
        "STRING",
        "dataset",
        "URI of a MovieLens release, or its path inside the image; or a pattern with {SPAN}",
    ),
    RuntimeParameter(
        "tracking_uri",
        "STRING",
        "registry.tracking_uri",
        "the model registry: an MLflow server, or vertex://PROJECT/REGION",
    ),
    RuntimeParameter("seed", "NUMBER_INTEGER", "seed", "of initial weights, dropout and batches"),
    RuntimeParameter(
        "history_length", "NUMBER_INTEGER", "history.length", "events that a device sends"
    ),
    RuntimeParameter(
        "history_stride", "NUMBER_INTEGER", "history.stride", "events between two windows' ends"
    ),
    RuntimeParameter(
        "epochs", "NUMBER_INTEGER", "training.max_epochs", "most epochs of the training"
    ),
    RuntimeParameter(
        "learning_rate", "NUMBER_DOUBLE", "training.optimizer.learning_rate", "the highest"
    ),
    RuntimeParameter(
        "min_recall_at_10", "NUMBER_DOUBLE", "gate.min_recall_at_10", "least recall@10 that ships"
    ),
    RuntimeParameter(
        "min_margin_over_popularity",
        "NUMBER_DOUBLE",
        "gate.min_margin_over_popularity",
        "least recall@10 above popularity's",
    ),
)


def places_of(
    parameter: RuntimeParameter,
    value: Any,
    before: Mapping[str, Mapping[str, Any]],
    after: Mapping[str, Mapping[str, Any]],
) -> dict[str, list[Place]]:
    """Finds where a parameter stands.

    Args:
        parameter: Whose places.
        value: Its value in `after`.
        before: Execution properties by the name of a task.
        after: The same with another value of the parameter.

    Returns:
        Places by task, for the tasks that have any.

    Raises:
        ValueError: Something changed into another value than the parameter's, so that an
            entrypoint could not put it there; or nothing changed at all.
    """
    found: dict[str, list[Place]] = {}
    for task, properties in before.items():
        for place, changed in _differences(properties, after[task], ()):
            if changed != value:
                where = " > ".join(map(str, place))
                raise ValueError(
                    f"{parameter.key} cannot be a runtime parameter: {task} makes {changed!r} of "
                    f"its value {value!r} at {where}"
                )
            found.setdefault(task, []).append(place)
    if not found:
        raise ValueError(f"{parameter.key} cannot be a runtime parameter: no step reads it")
    return found


def put(properties: Any, place: Sequence[str | int], value: Any) -> Any:
    """Returns the same properties with another value at a place; nothing given is changed."""
    if not place:
        return value
    if isinstance(properties, str):
        return json.dumps(put(json.loads(properties), place, value))
    key, *further = place
    changed = put(properties[key], further, value)
    if isinstance(properties, list):
        return [changed if index == key else item for index, item in enumerate(properties)]
    return {**properties, key: changed}


def add(
    spec: dict[str, Any],
    parameter: RuntimeParameter,
    default: Any,
    places: Mapping[str, Sequence[Place]],
) -> None:
    """Makes a setting of a compiled pipeline a runtime parameter.

    Args:
        spec: The PipelineSpec, which is changed.
        parameter: Which.
        default: Its value as compiled.
        places: See `places_of`.
    """
    inputs = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    inputs[parameter.name] = {
        "parameterType": parameter.kind,
        "defaultValue": default,
        "description": parameter.description,
        "isOptional": True,
    }
    for task, own in places.items():
        step = spec["root"]["dag"]["tasks"][task]
        name = PREFIX + parameter.name
        step["inputs"]["parameters"][name] = {"componentInputParameter": parameter.name}
        component = spec["components"][step["componentRef"]["name"]]
        component["inputDefinitions"]["parameters"][name] = {"parameterType": parameter.kind}
        executor = spec["deploymentSpec"]["executors"][component["executorLabel"]]
        told = {"compiled": default, "places": own}
        for container in containers_of(executor):
            _tell(container["args"], parameter.name, told)


def containers_of(executor: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns what an executor runs: its container, and the one before it that looks at its cache.

    A resolver has none.
    """
    if "container" not in executor:
        return []
    container = executor["container"]
    check = container.get("lifecycle", {}).get("preCacheCheck")
    return [container, *([check] if check else [])]


def placed(
    properties: Mapping[str, Any], told: Mapping[str, Mapping[str, Any]], prefix: str = PREFIX
) -> dict[str, Any]:
    """Puts a run's values in their places.

    Args:
        properties: A step's execution properties, its runtime parameters among them, whose names
            begin with `prefix`.
        told: What `add` has written into the step's arguments.
        prefix: See above.

    Returns:
        The execution properties alone. A parameter that has its compiled value changes nothing:
        neither the text of a property, nor the label that a data set was given beside its address.

    Raises:
        ValueError: A parameter has no value.
    """
    result = {key: value for key, value in properties.items() if not key.startswith(prefix)}
    for name, parameter in told.items():
        if prefix + name not in properties:
            raise ValueError(f"the runtime parameter {name!r} has no value")
        value = properties[prefix + name]
        compiled = parameter["compiled"]
        # Numbers arrive as doubles.
        value = type(compiled)(value)
        if value == compiled:
            continue
        for place in parameter["places"]:
            result = put(result, place, value)
    return result


def _tell(arguments: list[str], name: str, told: Mapping[str, Any]) -> None:
    if FLAG not in arguments:
        arguments += [FLAG, "{}"]
    at_flag = arguments.index(FLAG) + 1
    others = json.loads(arguments[at_flag])
    arguments[at_flag] = json.dumps({**others, name: told}, sort_keys=True)


def _differences(before: Any, after: Any, place: Place) -> Iterator[tuple[Place, Any]]:
    """Yields each place at which two trees differ, with the second's value there."""
    if before == after:
        return
    read_before, read_after = _read(before), _read(after)
    if isinstance(read_before, dict) and isinstance(read_after, dict):
        keys: Any = sorted(read_before) if sorted(read_before) == sorted(read_after) else None
    elif isinstance(read_before, list) and isinstance(read_after, list):
        keys = range(len(read_before)) if len(read_before) == len(read_after) else None
    else:
        keys = None
    if keys is None:
        yield place, after
        return
    for key in keys:
        yield from _differences(read_before[key], read_after[key], (*place, key))


def _read(value: Any) -> Any:
    """Reads text that is a JSON object or list; all else stays as it is."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except json.JSONDecodeError:
            return value
    return value
