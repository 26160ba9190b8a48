"""What one training of a study is told, and the names of what it leaves."""

from __future__ import annotations

import dataclasses
import json

from pipeline.config.delivery import VariantName
from pipeline.config.root import Config
from pipeline.sweep.examples import Examples

SPEC, RESULT, LOGS = "spec.json", "result.json", "logs"


def tflite_file(variant: str) -> str:
    """Returns the name of a variant's file."""
    return f"model.{variant}.tflite"


@dataclasses.dataclass(frozen=True)
class Spec:
    """What to train.

    Attributes:
        config: All settings, the training's seed among them.
        examples: The windows.
        report_test: Whether to judge on test too.
        variants: Files to convert, judge and time.
        budgets: Bytes that files of an elastic table are cut for, beside them.
        latency_invocations: Recommendations that are timed.
        checkpoints: Folder of all the study's checkpoints.
    """

    config: Config
    examples: Examples
    report_test: bool
    variants: tuple[VariantName, ...]
    budgets: tuple[int, ...]
    latency_invocations: int
    checkpoints: str

    def to_json(self) -> str:
        """Returns what `from_json` reads."""
        fields = {
            "config": self.config.model_dump(mode="json"),
            "examples": dataclasses.asdict(self.examples),
            "report_test": self.report_test,
            "variants": self.variants,
            "budgets": self.budgets,
            "latency_invocations": self.latency_invocations,
            "checkpoints": self.checkpoints,
        }
        return json.dumps(fields, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Spec:
        """Reads what `to_json` wrote."""
        fields = json.loads(text)
        return cls(
            Config.model_validate(fields["config"]),
            Examples(**fields["examples"]),
            fields["report_test"],
            tuple(fields["variants"]),
            tuple(fields["budgets"]),
            fields["latency_invocations"],
            fields["checkpoints"],
        )
