"""Where the boxes of a picture go: layers from top to bottom, few crossings, straight edges.

Floor 1. The method of Sugiyama, Tagawa and Toda (1981): layers by longest path; long edges get a joint in every
layer they cross; layers are ordered by the barycenter of their neighbours; then positions are drawn to their
neighbours, in that order, by pooling (isotonic regression), which solves this exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_GAP = 18.0  # between boxes of a layer
_JOINT = 6.0  # the width a passing edge takes
_SWEEPS = 8
_MOST_JOINTS = 20_000  # beyond this, long edges go straight: the picture is past reading, but must not take minutes


@dataclass
class Layout:
    """For each box its centre x and its layer; for each edge the (x, layer) points it passes through."""

    x: list[float]
    layer: list[int]
    edges: list[list[tuple[float, int]]]
    width: float
    layers: int


def layout(reads: Sequence[Sequence[int]], widths: Sequence[float]) -> Layout:
    """Place boxes whose edges are given by what each reads; every box comes after those it reads."""
    layer = layers_of(reads)
    n = len(reads)
    width, level = list(widths), list(layer)
    up: list[list[int]] = [[] for _ in range(n)]
    down: list[list[int]] = [[] for _ in range(n)]
    chains: list[list[int]] = []  # each edge as boxes and joints
    joined = sum(layer[i] - layer[k] - 1 for i, row in enumerate(reads) for k in set(row)) <= _MOST_JOINTS
    joints: dict[tuple[int, int], int] = {}  # edges from one box share their joints: they leave it as one line
    for i, row in enumerate(reads):
        for k in dict.fromkeys(row):
            chain = [k]
            for at in range(layer[k] + 1, layer[i] if joined else 0):
                if (k, at) not in joints:
                    joints[k, at] = len(level)
                    width.append(_JOINT)
                    level.append(at)
                    up.append([])
                    down.append([])
                chain.append(joints[k, at])
            chain.append(i)
            chains.append(chain)
            for a, b in pairwise(chain):
                if a not in up[b]:
                    up[b].append(a)
                    down[a].append(b)
    order = _ordered(level, up, down)
    x = _positions(order, width, up, down)
    left = min((x[i] - width[i] / 2 for i in range(len(x))), default=0.0)
    x = [a - left for a in x]
    total = max((x[i] + width[i] / 2 for i in range(len(x))), default=0.0)
    return Layout(x[:n], layer, [[(x[i], level[i]) for i in chain] for chain in chains], total, len(order))


def layers_of(reads: Sequence[Sequence[int]]) -> list[int]:
    """The layer of each box: one below the lowest it reads. What reads nothing stands just above its first reader."""
    layer = [0] * len(reads)
    for i, row in enumerate(reads):
        layer[i] = 1 + max((layer[k] for k in row), default=-1)
    first: dict[int, int] = {}
    for i, row in enumerate(reads):
        for k in row:
            first[k] = min(first.get(k, layer[i]), layer[i])
    return [at if row else first.get(i, 1) - 1 for i, (at, row) in enumerate(zip(layer, reads, strict=True))]


def _ordered(level: list[int], up: list[list[int]], down: list[list[int]]) -> list[list[int]]:
    """The items of each layer from left to right."""
    order: list[list[int]] = [[] for _ in range(max(level, default=-1) + 1)]
    for i, at in enumerate(level):
        order[at].append(i)
    place = {i: float(k) for row in order for k, i in enumerate(row)}
    for sweep in range(_SWEEPS):
        near, rows = (up, order) if sweep % 2 == 0 else (down, order[::-1])
        for row in rows:
            row.sort(key=lambda i: (sum(place[k] for k in near[i]) / len(near[i])) if near[i] else place[i])
            for k, i in enumerate(row):
                place[i] = k - len(row) / 2  # counted from the middle: narrow and wide layers then compare
    return order


def _positions(order: list[list[int]], width: list[float], up: list[list[int]], down: list[list[int]]) -> list[float]:
    """The centre x of each item."""
    x = [0.0] * len(width)
    for row in order:
        _place(row, [0.0] * len(row), width, x)
    for sweep in range(_SWEEPS):
        rows = order if sweep % 2 == 0 else order[::-1]
        for row in rows:
            near = [(up[i] if sweep % 2 == 0 else down[i]) or up[i] + down[i] or [i] for i in row]
            _place(row, [sum(x[k] for k in ks) / len(ks) for ks in near], width, x)
    return x


def _place(row: list[int], wanted: list[float], width: list[float], x: list[float]) -> None:
    """Put a row as near to where its items want to be as their order and widths allow: least squares, by pooling."""
    offset, offsets = 0.0, []
    for k, i in enumerate(row):
        if k:
            offset += (width[row[k - 1]] + width[i]) / 2 + _GAP
        offsets.append(offset)
    pools: list[tuple[float, int]] = []  # (mean, items): neighbours that touch move as one
    for want, off in zip(wanted, offsets, strict=True):
        mean, count = want - off, 1
        while pools and pools[-1][0] > mean:
            other, k = pools.pop()
            mean, count = (mean * count + other * k) / (count + k), count + k
        pools.append((mean, count))
    at = 0
    for mean, count in pools:
        for k in range(at, at + count):
            x[row[k]] = mean + offsets[k]
        at += count
