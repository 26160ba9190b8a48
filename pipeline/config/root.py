"""The root of the configuration, read from a file plus `key=value` overrides."""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pydantic
import yaml
from pydantic import Field, field_validator, model_validator

from pipeline.config.base import Section
from pipeline.config.data import DataConfig
from pipeline.config.delivery import ConversionConfig, GateConfig, RegistryConfig
from pipeline.config.deployment import DeploymentConfig
from pipeline.config.history import HistoryConfig
from pipeline.config.model import ModelConfig
from pipeline.config.spans import has_spans
from pipeline.config.training import TrainingConfig
from pipeline.config.tuner import TunerConfig
from pipeline.config.variants import converted_variants, further_variants
from pipeline.errors import ConfigError

S = TypeVar("S", bound=Section)

CONFIGS_DIR = Path(__file__).resolve().parent.parent / "configs"


class GeneratorConfig(Section):
    """The seeded generator behind the data set `sample`."""

    users: int = Field(600, ge=1)
    movies: int = Field(2000, ge=2)
    ratings: int = Field(60_000, ge=1)
    seed: int = Field(7, ge=0)


class RuntimeConfig(Section):
    """How the local runner runs."""

    cache: bool = Field(True, description="reuse the results of unchanged steps")
    beam_args: tuple[str, ...] = Field((), description="Beam pipeline options, e.g. --runner=...")

    @field_validator("beam_args")
    @classmethod
    def _one_piece_each(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        for word in given:
            if not re.match(r"--[A-Za-z]\w*(=|$)", word):
                raise ValueError(f"each must look like --name=value or --name, not {word!r}")
        return given


class Config(Section):
    """All settings of a pipeline."""

    dataset: str = Field(
        "sample",
        description="a release's name, a folder's or zip's path, or a pattern: data/ratings-{SPAN}",
    )
    seed: int = Field(42, ge=0, description="same data, config and seed: the same model")
    sample: GeneratorConfig = GeneratorConfig()
    data: DataConfig = DataConfig()
    history: HistoryConfig = HistoryConfig()
    model: ModelConfig = ModelConfig()
    training: TrainingConfig = TrainingConfig()
    tuner: TunerConfig = TunerConfig()
    conversion: ConversionConfig = ConversionConfig()
    gate: GateConfig = GateConfig()
    registry: RegistryConfig = RegistryConfig()
    runtime: RuntimeConfig = RuntimeConfig()
    deployment: DeploymentConfig = DeploymentConfig()

    @model_validator(mode="after")
    def _windows_hold_a_history(self) -> Config:
        window = self.training.window_length
        if window is not None and window < self.history.length:
            raise ValueError(
                f"training.window_length ({window}) must not be below history.length "
                f"({self.history.length}): a device sends longer histories than were trained"
            )
        return self

    @model_validator(mode="after")
    def _spans_are_there(self) -> Config:
        if has_spans(self.dataset):
            return self
        for key in ("window", "newest"):
            value = getattr(self.data.spans, key)
            if value is not None:
                raise ValueError(
                    f"data.spans.{key} ({value}) goes with a pattern of spans alone, as "
                    f"data/ratings-{{SPAN}}; dataset is {self.dataset!r}"
                )
        return self

    @model_validator(mode="after")
    def _warm_start_has_a_span_before(self) -> Config:
        if self.training.warm_start is None:
            return self
        if not has_spans(self.dataset):
            raise ValueError(
                "training.warm_start goes on with a model of an earlier span, so dataset must be "
                f"a pattern of spans, as data/ratings-{{SPAN}}; it is {self.dataset!r}"
            )
        if self.tuner.enabled:
            raise ValueError(
                "training.warm_start goes with no tuner: its trials would begin with new weights"
            )
        return self

    @model_validator(mode="after")
    def _drops_are_of_further_variants(self) -> Config:
        further = further_variants(self)
        for name in self.gate.max_drop_of_variant:
            if name in further:
                continue
            made = name in converted_variants(self)
            raise ValueError(
                f"gate.max_drop_of_variant names {name!r}, which is "
                + (
                    "float32 itself, or the gated variant, whose limit is "
                    "gate.max_drop_from_float32"
                    if made
                    else "no variant of conversion.variants"
                )
                + f"; it can name {', '.join(further) or 'none here'}"
            )
        return self

    @model_validator(mode="after")
    def _budgets_cut_an_elastic_table(self) -> Config:
        if self.conversion.budgets and self.model.item_table.name != "elastic":
            raise ValueError(
                f"conversion.budgets ({', '.join(self.conversion.budgets)}) are cut from an "
                f"elastic item table; model.item_table is {self.model.item_table.name}"
            )
        return self

    @model_validator(mode="after")
    def _tuner_can_train(self) -> Config:
        models = [self.model, *(teacher.model for teacher in self.training.new_teachers)]
        if self.tuner.enabled and any(model.item_features.any for model in models):
            raise ValueError(
                "tuner.enabled goes with no model.item_features, nor with any of a teacher: TFX's "
                "Tuner has no access to the catalogue"
            )
        if self.tuner.enabled and self.training.given_teachers:
            raise ValueError(
                "tuner.enabled goes with no teacher of training.distillation that was trained "
                "before: TFX's Tuner has no access to it"
            )
        return self


def load_config(
    path: Path | None, overrides: Sequence[str] = (), overlays: Sequence[Path] = ()
) -> Config:
    """Reads a YAML file, applies overlays, then overrides, and validates the whole.

    Args:
        path: The file; None takes the defaults.
        overrides: `a.b=value` strings, the value in YAML, applied in order.
        overlays: Files that hold some of the settings, applied in order.

    Raises:
        ConfigError: The file or an override cannot be used; names file, key, value and what is
            allowed.
    """
    tree = read_yaml(path) if path is not None else {}
    for file in overlays:
        apply_overlay(tree, read_yaml(file), str(file))
    for override in overrides:
        apply_override(tree, override)
    source = str(path) if path is not None else "the defaults"
    return validated(Config, tree, " under ".join([source, *map(str, overlays)]))


def validated(section: type[S], tree: Mapping[str, Any], source: str) -> S:
    """Validates a tree of settings.

    Args:
        section: What the tree is to be.
        tree: Keys and values as YAML gives them.
        source: Where it comes from, for the message.

    Raises:
        ConfigError: It cannot be used; names source, key, value and what is allowed.
    """
    try:
        return section.model_validate(tree)
    except pydantic.ValidationError as error:
        raise ConfigError(_describe(error, source, section)) from None


def read_yaml(path: Path) -> dict[str, Any]:
    """Reads a file that holds a mapping; an empty one is an empty mapping.

    Raises:
        ConfigError: It cannot be read, or holds something else.
    """
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid YAML: {error}") from None
    if tree is None:
        return {}
    if not isinstance(tree, dict):
        raise ConfigError(f"{path}: must hold a mapping of sections, holds {type(tree).__name__}")
    return tree


def apply_override(tree: dict[str, Any], override: str) -> None:
    """Sets what an `a.b=value` string says, the value in YAML.

    Raises:
        ConfigError: It is no such string, or `a` holds a value.
    """
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ConfigError(f"--set {override!r}: must look like section.key=value")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"--set {override!r}: the value {text!r} is not valid YAML") from None
    set_key(tree, parts, value, f"--set {override!r}")


def apply_overlay(
    tree: dict[str, Any], values: Mapping[str, Any], source: str, above: Sequence[str] = ()
) -> None:
    """Sets the keys that a second tree holds and leaves the others.

    A section that names itself (an encoder, a loss, an optimizer) is taken whole, as settings of
    another one do not apply to it.

    Args:
        tree: Changed in place.
        values: The second tree.
        source: Where it comes from, for the message.
        above: Path of the section that the second tree is laid over.

    Raises:
        ConfigError: There is a value where the second tree has a section.
    """
    for key, value in values.items():
        parts = [*above, key]
        if isinstance(value, Mapping) and value and "name" not in value:
            apply_overlay(tree, value, source, parts)
        else:
            set_key(tree, parts, copy.deepcopy(value), source)


def set_key(tree: dict[str, Any], parts: Sequence[str], value: Any, source: str) -> None:
    """Sets one key of a tree, making the sections on the way.

    Args:
        tree: Changed in place.
        parts: The key's path.
        value: What it is set to.
        source: Who asks, for the message.

    Raises:
        ConfigError: There is a value on the way, where a section should be.
    """
    node = tree
    for depth, part in enumerate(parts[:-1]):
        # A section that is null, as `training.distillation` by default, is one without settings.
        child = node[part] = {} if node.get(part) is None else node[part]
        if not isinstance(child, dict):
            raise ConfigError(f"{source}: {'.'.join(parts[: depth + 1])} is a value, not a section")
        node = child
    # Another encoder or loss brings its own settings: those of the one before do not apply to it.
    if tuple(parts[-2:]) in {("encoder", "name"), ("loss", "name")} and node.get("name") != value:
        node.clear()
    node[parts[-1]] = value


def lay_over(tree: dict[str, Any], values: Mapping[str, Any], source: str) -> None:
    """Sets several keys of a tree, a section at once among them.

    A section that names itself (an encoder, a loss, an optimizer) is taken whole, as settings of
    another one do not apply to it. Any other section replaces the keys that it holds.

    Args:
        tree: Changed in place.
        values: Values and sections by key path.
        source: Who asks, for the message.

    Raises:
        ConfigError: There is a value on the way, where a section should be.
    """
    for key, value in values.items():
        parts = key.split(".")
        if isinstance(value, Mapping) and "name" not in value:
            for inner, inner_value in value.items():
                set_key(tree, [*parts, inner], copy.deepcopy(inner_value), source)
        else:
            set_key(tree, parts, copy.deepcopy(value), source)


def _describe(error: pydantic.ValidationError, source: str, root: type[Section]) -> str:
    lines = [f"{source}: {error.error_count()} setting(s) cannot be used"]
    for problem in error.errors(include_url=False):
        # A part in brackets says which kind of section was read: no key.
        parts = [str(part) for part in problem["loc"]]
        key = ".".join(part for part in parts if not part.startswith("(")) or "(whole)"
        line = f"  {key}: {problem['msg']}"
        if problem["type"] == "extra_forbidden":
            line = f"  {key}: unknown key"
            known = _known_keys(root, problem["loc"][:-1])
            if known:
                line += f"; known here: {', '.join(known)}"
        elif not isinstance(problem["input"], Mapping | Section):
            line += f" (got {problem['input']!r})"
        lines.append(line)
    return "\n".join(lines)


def _known_keys(root: type[Section], location: Sequence[int | str]) -> list[str]:
    section: Any = root
    for part in location:
        fields = getattr(section, "model_fields", {})
        if part not in fields:
            return []
        section = fields[part].annotation
    return sorted(getattr(section, "model_fields", {}))
