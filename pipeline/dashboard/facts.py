"""What is known about one run, as plain values; nothing here reads a file or knows HTML."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.dashboard import readers
from pipeline.dashboard.evaluation import Evaluation
from pipeline.lineage import PropertyValue, Run, Step

UNKNOWN_DATASET = "unknown"
"""What a data set is called that a run did not record."""


@dataclasses.dataclass(frozen=True)
class StepRow:
    """One line of the table of steps; `step` is None where the run never got there."""

    node_id: str
    purpose: str
    step: Step | None

    @property
    def state(self) -> str:
        """The step's state, or `not reached`."""
        return self.step.state if self.step else "not reached"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """How the run ended.

    Attributes:
        kind: `pushed`, `not-pushed`, `failed`, `data-only` or `incomplete`.
        headline: One line.
        reason: Why it was not pushed, or failed; empty otherwise.
    """

    kind: str
    headline: str
    reason: str = ""


@dataclasses.dataclass(frozen=True)
class Data:
    """Ingest, statistics and validation.

    Attributes:
        counts: ExampleGen's counts by name.
        statistics: One entry a split.
        checked_splits: Splits that the validator looked at; None where it did not run.
        anomalies: What it found.
        drift: The data gate's distances between spans, a mapping each; empty where it compared
            none.
        drift_note: What the data gate said about drift; empty where it did not run.
        vocabulary: Movies in the vocabulary; None before Transform has run.
    """

    counts: Mapping[str, PropertyValue]
    statistics: Sequence[readers.SplitStatistics]
    checked_splits: Sequence[str] | None
    anomalies: Sequence[readers.Anomaly]
    drift: Sequence[Mapping[str, Any]]
    drift_note: str
    vocabulary: int | None


@dataclasses.dataclass(frozen=True)
class Push:
    """What reached the registry.

    Attributes:
        properties: Facts about the push, e.g. the version, or why there was none.
        files: Bytes and sha256 by file name of the bundle.
        variants: Names of those that it holds.
        left_out: Why others are not in it, by name.
    """

    properties: Mapping[str, PropertyValue]
    files: Mapping[str, Mapping[str, Any]]
    variants: Sequence[str] = ()
    left_out: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def version(self) -> int | None:
        """The registry's version; None where nothing was pushed."""
        if self.properties.get("pushed") != 1:
            return None
        return int(self.properties["registry_version"])


@dataclasses.dataclass(frozen=True)
class Dashboard:
    """All that is shown about one run.

    Attributes:
        run: The run, with each step's artifacts and properties.
        verdict: How it ended.
        dataset: Name or path.
        config: The whole configuration; None where the run ended before it was recorded.
        steps: Every step of the pipeline, in order.
        data: Counts, statistics, anomalies.
        epochs: Training figures by name, one mapping an epoch.
        conversion: The converter's report; empty where it did not run.
        evaluation: Metrics by slice and thresholds; None where the evaluator did not run.
        push: What reached the registry; None where the pusher did not run.
        notes: What should have been readable, but was not.
    """

    run: Run
    verdict: Verdict
    dataset: str
    config: Mapping[str, Any] | None
    steps: Sequence[StepRow]
    data: Data
    epochs: Sequence[Mapping[str, float]]
    conversion: Mapping[str, Any]
    evaluation: Evaluation | None
    push: Push | None
    notes: Sequence[str]

    @property
    def title(self) -> str:
        """The data set, or what else the run is about where it recorded none."""
        return self.run.pipeline if self.dataset == UNKNOWN_DATASET else self.dataset

    @property
    def overall(self) -> Mapping[str, float]:
        """Metrics of the whole test split; empty where the evaluator did not run."""
        return next(iter(self.evaluation.slices.values()), {}) if self.evaluation else {}

    @property
    def gated(self) -> str:
        """Name of the variant that the gate looked at; empty where none was converted."""
        return str(self.conversion.get("gated", ""))

    @property
    def variants(self) -> Mapping[str, Mapping[str, Any]]:
        """The converter's report of each variant by name."""
        reports = self.conversion.get("variants")
        return reports if isinstance(reports, Mapping) else {}
