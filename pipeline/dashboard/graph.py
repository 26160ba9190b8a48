"""The graph of a run: its steps, and the artifacts that went from one to the next."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from pipeline.dashboard.layout import lay_out
from pipeline.lineage import Run

STEP, ARTIFACT = "step", "artifact"

_SIZES = {STEP: (184.0, 38.0), ARTIFACT: (150.0, 24.0)}


@dataclasses.dataclass(frozen=True)
class Node:
    """A step or an artifact with its box; x and y are of the upper left corner.

    Attributes:
        kind: `STEP` or `ARTIFACT`.
        anchor: `step-trainer`, `artifact-12`: what a click leads to.
        label: What is written on it.
        state: A step's state; empty for an artifact.
    """

    kind: str
    anchor: str
    label: str
    state: str
    x: float = 0.0
    y: float = 0.0
    width: float = 0.0
    height: float = 0.0


@dataclasses.dataclass(frozen=True)
class Edge:
    """A line from one node's anchor to another's."""

    source: str
    target: str
    path: str


@dataclasses.dataclass(frozen=True)
class Graph:
    """Nodes and edges on a canvas."""

    nodes: Sequence[Node]
    edges: Sequence[Edge]
    width: float
    height: float


def graph(run: Run) -> Graph | None:
    """Lays a run's steps and artifacts out, makers above users; None where there are none."""
    nodes, edges = _collect(run)
    if not nodes:
        return None
    sizes = {node.anchor: _SIZES[node.kind] for node in nodes}
    laid = lay_out(sizes, edges)
    placed = []
    for node in nodes:
        (x, y), (width, height) = laid.centres[node.anchor], sizes[node.anchor]
        placed.append(
            dataclasses.replace(
                node, x=round(x - width / 2, 1), y=y - height / 2, width=width, height=height
            )
        )
    drawn = [Edge(*ends, path) for ends, path in zip(edges, laid.paths, strict=True)]
    return Graph(tuple(placed), tuple(drawn), laid.width, laid.height)


def _collect(run: Run) -> tuple[list[Node], list[tuple[str, str]]]:
    """Returns nodes, and edges between their anchors; an artifact has one maker at most.

    A look-up in ML Metadata puts out what another step made before: there it counts as a user.
    """
    nodes: dict[str, Node] = {}
    edges: dict[tuple[str, str], None] = {}
    made: set[str] = set()
    for step in run.steps:
        anchor = f"{STEP}-{step.node_id}"
        nodes[anchor] = Node(STEP, anchor, step.node_id, step.state)
        for is_output, groups in ((False, step.inputs), (True, step.outputs)):
            for artifact in (member for group in groups.values() for member in group):
                other = f"{ARTIFACT}-{artifact.artifact_id}"
                label = f"{artifact.type_name} {artifact.artifact_id}"
                nodes.setdefault(other, Node(ARTIFACT, other, label, ""))
                is_maker = is_output and other not in made
                edges[(anchor, other) if is_maker else (other, anchor)] = None
                made |= {other} if is_maker else set()
    return list(nodes.values()), list(edges)
