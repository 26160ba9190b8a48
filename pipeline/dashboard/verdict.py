"""How a run ended, in one headline and its reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.dashboard.facts import Push, Verdict
from pipeline.lineage import Run

_LAST_DATA_STEP = "transform"
_FIRST_MODEL_STEPS = ("tuner", "warm_start_model", "teacher_models", "trainer")
_KILLED = "No message was recorded: the run may have been killed there."


def verdict(run: Run, push: Push | None, summary: Mapping[str, Any], log_file: Path) -> Verdict:
    """Tells how a run ended.

    Args:
        run: The run.
        push: What reached the registry; None where the pusher did not run.
        summary: The runner's own record of the run; empty where there is none.
        log_file: Where the run's log would be.
    """
    recorded = str(summary.get("error") or "")
    failed = next((step for step in run.steps if step.state == "failed"), None)
    # A step can fail before ML Metadata hears of it; the runner knows.
    failed_at = failed.node_id if failed else str(summary.get("failed_step") or "")
    if failed_at:
        reason = (failed.error if failed else "") or recorded
        if not reason:
            reason = _KILLED + (f" Its log: {log_file}" if log_file.is_file() else "")
        return Verdict("failed", f"FAILED at {failed_at}", reason)
    if push:
        if push.version is None:
            return Verdict("not-pushed", "NOT PUSHED", _not_pushed_reason(push))
        model = push.properties.get("registry_model", "")
        return Verdict("pushed", f"PUSHED: {model} version {push.version}")
    current = next((step for step in run.steps if step.state == "running"), None)
    if current:
        reason = recorded or "It is still running, or the run was killed there."
        return Verdict("incomplete", f"INCOMPLETE: {current.node_id} has not ended", reason)
    if run.step(_LAST_DATA_STEP) and not any(map(run.step, _FIRST_MODEL_STEPS)):
        return Verdict(
            "data-only",
            "DATA ONLY: windows are made, no model was trained",
            recorded or "The run made data alone, or was killed before training began.",
        )
    return Verdict("incomplete", "INCOMPLETE: the last step was not reached", recorded)


def _not_pushed_reason(push: Push) -> str:
    named = (v for k, v in push.properties.items() if "reason" in k and v)
    return str(next(named, "The gate did not bless the model; see its thresholds below."))
