"""Lays a graph without circles out in layers, from top to bottom, with long edges routed."""

from __future__ import annotations

import dataclasses
import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence

Size = tuple[float, float]

_BEND: Size = (12, 0)
_GAP = 16
_LAYER_HEIGHT = 62
_SWEEPS = 12


@dataclasses.dataclass(frozen=True)
class Layout:
    """Where everything stands, in pixels from the upper left corner.

    Attributes:
        centres: Of each node, x and y.
        paths: Of each edge, in their order, as SVG path data.
        width: Of the whole.
        height: Of the whole.
    """

    centres: Mapping[str, tuple[float, float]]
    paths: Sequence[str]
    width: float
    height: float


def lay_out(sizes: Mapping[str, Size], edges: Sequence[tuple[str, str]]) -> Layout:
    """Lays a graph out.

    Args:
        sizes: Width and height of each node; at least one.
        edges: Pairs of nodes, from and to.

    Raises:
        ValueError: The edges form a circle.
    """
    layers = layer(sizes, edges)
    chains = _chains(layers, edges)
    rows = _order(layers, chains)
    boxes = {key: sizes.get(key, _BEND) for key in layers}
    across = _across(rows, boxes, chains)
    left = min(across[key] - boxes[key][0] / 2 for key in layers) - _GAP
    right = max(across[key] + boxes[key][0] / 2 for key in layers) + _GAP
    top = max(height for _, height in boxes.values()) / 2 + _GAP
    centres = {
        key: (round(across[key] - left, 1), depth * _LAYER_HEIGHT + top)
        for depth, row in enumerate(rows)
        for key in row
    }
    return Layout(
        centres={key: centres[key] for key in sizes},
        paths=tuple(_path(chain, centres, boxes) for chain in chains),
        width=round(right - left),
        height=(len(rows) - 1) * _LAYER_HEIGHT + 2 * top,
    )


def layer(keys: Iterable[str], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """Returns each node's layer: the longest way to it from a node that nothing leads to.

    Args:
        keys: The nodes.
        edges: Pairs of nodes, from and to, without a circle.
    """
    layers = dict.fromkeys(keys, 0)
    for _ in layers:
        changed = False
        for source, target in edges:
            if layers[target] <= layers[source]:
                layers[target] = layers[source] + 1
                changed = True
        if not changed:
            return layers
    raise ValueError("the steps and artifacts form a circle")


def _chains(layers: dict[str, int], edges: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Returns each edge as a chain of nodes, one a layer; bends stand where it passes through."""
    chains = []
    for index, (source, target) in enumerate(edges):
        bends = []
        for depth in range(layers[source] + 1, layers[target]):
            bend = f"bend-{index}-{depth}"
            layers[bend] = depth
            bends.append(bend)
        chains.append([source, *bends, target])
    return chains


def _order(layers: Mapping[str, int], chains: Sequence[Sequence[str]]) -> list[list[str]]:
    """Orders each layer by the mean place of its neighbours, down and up again (Sugiyama, 1981)."""
    rows: list[list[str]] = [[] for _ in range(max(layers.values()) + 1)]
    for key, depth in layers.items():
        rows[depth].append(key)
    above: dict[str, list[str]] = {key: [] for key in layers}
    below: dict[str, list[str]] = {key: [] for key in layers}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            above[lower].append(upper)
            below[upper].append(lower)
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(_SWEEPS):
        neighbours = below if sweep % 2 else above
        for row in rows[::-1] if sweep % 2 else rows:
            place = {key: i / len(other) for other in rows for i, key in enumerate(other)}
            centre = {
                key: statistics.fmean([place[n] for n in neighbours[key]])
                if neighbours[key]
                else place[key]
                for key in row
            }
            row.sort(key=lambda key: centre[key])
        crossings = _crossings(rows, below)
        if crossings < fewest:
            best, fewest = [list(row) for row in rows], crossings
    return best


def _crossings(rows: Sequence[Sequence[str]], below: Mapping[str, Sequence[str]]) -> int:
    count = 0
    for upper, lower in itertools.pairwise(rows):
        place = {key: i for i, key in enumerate(lower)}
        ends = [sorted(place[n] for n in below[key]) for key in upper]
        flat = [(i, end) for i, group in enumerate(ends) for end in group]
        count += sum(a < c and b > d for a, b in flat for c, d in flat)
    return count


def _across(
    rows: Sequence[Sequence[str]], boxes: Mapping[str, Size], chains: Sequence[Sequence[str]]
) -> dict[str, float]:
    """Moves nodes towards the middle of their neighbours as far as the order leaves room."""
    neighbours: dict[str, list[str]] = {key: [] for key in boxes}
    for chain in chains:
        for upper, lower in itertools.pairwise(chain):
            neighbours[upper].append(lower)
            neighbours[lower].append(upper)
    centres: dict[str, float] = {}
    for row in rows:
        places = _spread([0.0] * len(row), [boxes[key][0] for key in row])
        centres |= dict(zip(row, places, strict=True))
    for _ in range(_SWEEPS):
        for row in rows:
            wanted = [
                statistics.fmean([centres[n] for n in neighbours[key]] or [centres[key]])
                for key in row
            ]
            places = _spread(wanted, [boxes[key][0] for key in row])
            centres |= dict(zip(row, places, strict=True))
    return centres


def _spread(wanted: Sequence[float], widths: Sequence[float]) -> list[float]:
    """Returns places as near as possible to the wanted ones, in order and without overlap.

    The squared distances are least: neighbours that collide are merged and share the mean of what
    they want (pool adjacent violators, Ayer et al., 1955).
    """
    offsets, total = [], 0.0
    for i, size in enumerate(widths):
        total += (widths[i - 1] + size) / 2 + _GAP if i else 0.0
        offsets.append(total)
    blocks: list[list[float]] = []
    for want, offset in zip(wanted, offsets, strict=True):
        blocks.append([want - offset, 1.0])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            (mean, count), (last, more) = blocks[-2], blocks[-1]
            blocks[-2:] = [[(mean * count + last * more) / (count + more), count + more]]
    starts = [mean for mean, count in blocks for _ in range(int(count))]
    return [start + offset for start, offset in zip(starts, offsets, strict=True)]


def _path(
    chain: Sequence[str], centres: Mapping[str, tuple[float, float]], boxes: Mapping[str, Size]
) -> str:
    """Returns a curve from the lower edge of the first node to the upper edge of the last."""
    x, y = centres[chain[0]]
    y += boxes[chain[0]][1] / 2
    path = f"M{x:g},{y:g}"
    for key in chain[1:]:
        to_x, to_y = centres[key]
        to_y -= boxes[key][1] / 2
        middle = (y + to_y) / 2
        path += f"C{x:g},{middle:g} {to_x:g},{middle:g} {to_x:g},{to_y:g}"
        x, y = to_x, to_y
    return path
