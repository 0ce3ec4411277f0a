"""fold: what depends on constants only is computed now. Values are those the op itself gives, to the bit.

Floor 4. Results stay small: a tensor of equal elements becomes an expanded scalar, others are folded up to LIMIT.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import numpy as np

from minigrad.graph import Atom, Const, Graph, Node, subgraphs
from minigrad.op import ndarray
from minigrad.ops.movement import Expand
from minigrad.ops.rows import Elementwise
from minigrad.passes.rewrite import Sweep, rebuilt, uniform_const, uniform_element
from minigrad.types import Dim

LIMIT = 4096  # elements a folded result may have
_READ_LIMIT = 16 * LIMIT  # elements an op may have to read for it: folding must not turn into running the program


def fold(graph: Graph, used: Counter[str] | None = None) -> Graph:
    """The graph with constant nodes replaced by their values. Effects stay, and so do ops that hold graphs."""
    used = Counter() if used is None else used
    sweep = Sweep(graph)
    inside = partial(fold, used=used)
    for n in graph.nodes:
        n = rebuilt(n, sweep.atoms(n.ins), inside)
        sweep.line = n.line
        values = _values(n, sweep)
        if values is None:
            sweep.keep(n)
            continue
        used["f(constant) -> constant"] += 1
        for v, a in zip(n.outs, values, strict=True):
            sweep.replace(v, a)
    return sweep.graph()


def _values(n: Node, sweep: Sweep) -> list[Atom] | None:
    """The constants a node computes; None if it must stay."""
    scalars = []
    for a in n.ins:
        scalar = sweep.uniform(a)
        if scalar is None and not isinstance(a, Const):
            return None
        scalars.append(scalar)
    if isinstance(n.op, Expand) and scalars[0] is not None:  # this is how constants are written
        return None
    if n.op.effect or any(True for _ in subgraphs(n.op)):
        return None
    if any(isinstance(k, Dim) for v in n.outs for k in v.type.shape):
        return None
    if isinstance(n.op, Elementwise) and n.out.type.size and all(s is not None for s in scalars):
        (result,) = _run(n, [np.asarray(s) for s in scalars]) or (None,)
        return None if result is None else [uniform_const(sweep, result[()], n.out.type)]
    if any(v.type.size > LIMIT for v in n.outs) or sum(a.type.size for a in n.ins) > _READ_LIMIT:
        return None
    results = _run(n, [_array(a, s) for a, s in zip(n.ins, scalars, strict=True)])
    return None if results is None else [_const(y, sweep) for y in results]


def _array(a: Atom, scalar: Any) -> ndarray:
    return a.array if isinstance(a, Const) else np.broadcast_to(np.asarray(scalar), a.type.shape)


def _run(n: Node, arrays: list[ndarray]) -> list[ndarray] | None:
    """What the op gives; None if it raises (then it shall raise when the graph runs, at its line)."""
    try:
        with np.errstate(all="ignore"):
            y = n.op.impl(*arrays)
    except Exception:
        return None
    return [np.asarray(a) for a in (y if n.op.many else (y,))]


def _const(y: ndarray, sweep: Sweep) -> Atom:
    scalar = uniform_element(y)
    return Const(np.array(y)) if scalar is None else uniform_const(sweep, scalar, y)
