"""The tables about steps and artifacts."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.dashboard.facts import StepRow
from pipeline.dashboard.formats import MISSING, seconds
from pipeline.dashboard.table import Cell, Column, Row, Table, figure, state, text
from pipeline.lineage import Artifact, Run, Step


def steps(rows: Sequence[StepRow]) -> Table:
    """Shows one row a step."""
    columns = [
        *(Column("Step"), Column("State"), Column("Seconds", is_number=True)),
        *(Column("Execution", is_number=True), Column("What it does")),
    ]
    return Table("steps-table", "Every step, in order", columns, [_step(row) for row in rows])


def _step(row: StepRow) -> Row:
    step = row.step
    if step is None:
        blank = Cell("")
        return Row([text(row.node_id), state(row.state), blank, blank, text(row.purpose)])
    origin = ""
    if step.cached_from:
        origin = f"from {step.cached_from}, {seconds(step.cached_seconds)} s there"
    taken = Cell("") if row.state == "running" else figure(step.seconds, seconds(step.seconds))
    return Row(
        [
            text(row.node_id, href=f"#step-{row.node_id}"),
            state(row.state, note=origin),
            taken,
            figure(step.execution_id, str(step.execution_id)),
            text(row.purpose),
        ]
    )


def inputs_and_outputs(step: Step) -> Table:
    """Shows one row an input or output of a step."""
    groups = [("input", step.inputs), ("output", step.outputs)]
    rows = [
        Row([text(key), text(direction), text(artifact.type_name), _link(artifact)])
        for direction, group in groups
        for key, members in group.items()
        for artifact in members
    ]
    labels = ("Key", "Direction", "Type", "Artifact")
    caption = f"Artifacts of {step.node_id}"
    return Table(
        f"io-{step.node_id}", caption, [Column(label) for label in labels], rows, can_sort=False
    )


def artifacts(run: Run) -> Table:
    """Shows one row an artifact of the run: who made it, who read it, and where it is."""
    known: dict[int, Artifact] = {}
    makers: dict[int, str] = {}
    users: dict[int, list[str]] = {}
    for step in run.steps:
        for artifact in (a for group in step.inputs.values() for a in group):
            known[artifact.artifact_id] = artifact
            users.setdefault(artifact.artifact_id, []).append(step.node_id)
        for artifact in (a for group in step.outputs.values() for a in group):
            known[artifact.artifact_id] = artifact
            makers.setdefault(artifact.artifact_id, step.node_id)
    columns = [
        *(Column("Artifact", is_number=True), Column("Type"), Column("Made by")),
        *(Column("Read by"), Column("Place")),
    ]
    rows = [
        Row(
            [
                figure(key, str(key)),
                text(artifact.type_name),
                text(makers.get(key, "an earlier run")),
                text(", ".join(dict.fromkeys(users.get(key, []))) or MISSING),
                text(artifact.uri, kind="code"),
            ],
            anchor=f"artifact-{key}",
        )
        for key, artifact in sorted(known.items())
    ]
    return Table("artifacts", "Artifacts of the run", columns, rows, can_filter=True)


def _link(artifact: Artifact) -> Cell:
    return text(artifact.artifact_id, href=f"#artifact-{artifact.artifact_id}")
