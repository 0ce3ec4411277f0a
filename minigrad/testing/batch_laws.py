"""The laws of batching: vmap is a loop over the lanes, nested and around gradients too, whichever operands are mapped.

Floor 7.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from minigrad.interpreters.batch import batched
from minigrad.op import Op, ndarray
from minigrad.testing.comparing import Flat, Operands, Rng, arrays, carries, flat, gives_floats, require_equal, values
from minigrad.testing.derivative_laws import differentiable, pullback_of
from minigrad.testing.rounding import moved_by_rounding

LANES = 3


def mixes(n: int, rng: Rng) -> list[list[bool]]:
    """Which operands are mapped: every mix of up to three operands, else all, each alone and two at random."""
    if n <= 3:
        return [list(m) for m in itertools.product([True, False], repeat=n) if any(m)]
    alone = [[i == k for i in range(n)] for k in range(n)]
    return [
        [True] * n,
        *alone,
        *[list(rng.permutation([True, False] + [bool(b) for b in rng.integers(0, 2, n - 2)])) for _ in range(2)],
    ]


def require_loop(op: Op, what: str, f: Flat, lanes: Sequence[Sequence[ndarray]], found: Sequence[ndarray]) -> None:
    """What was found is what a loop over the lanes gives."""
    expected = stacked_loop(f, lanes)
    require_equal(op, lanes[0], what, expected, found, lambda: moved_by_rounding(f, lanes))


def stacked_loop(f: Flat, lanes: Sequence[Sequence[ndarray]]) -> list[ndarray]:
    return [np.stack(column) for column in zip(*[arrays(f(*values(lane))) for lane in lanes])]


def mapped_operands(operands: Operands, mapped: Sequence[bool], rng: Rng) -> tuple[list[list[ndarray]], list[ndarray]]:
    """(the operands lane by lane, the same stacked where mapped)."""
    draws = [operands(rng) for _ in range(LANES)]
    lanes = [[d[i] if m else draws[0][i] for i, m in enumerate(mapped)] for d in draws]
    whole = [np.stack([lane[i] for lane in lanes]) if m else lanes[0][i] for i, m in enumerate(mapped)]
    return lanes, whole


def batch_is_loop(op: Op, operands: Operands, rng: Rng) -> None:
    """vmap gives what a loop over the lanes gives, whichever operands are mapped."""
    for mapped in mixes(len(operands(rng)), rng):
        lanes, whole = mapped_operands(operands, mapped, rng)
        found = batched(flat(op), values(whole), mapped, LANES)
        require_loop(op, f"batch {shown(mapped)}", flat(op), lanes, arrays(found))


def shown(mapped: Sequence[bool]) -> str:
    return "(" + ", ".join("mapped" if m else "same" for m in mapped) + ")"


def nested_batch_is_loop(op: Op, operands: Operands, rng: Rng) -> None:
    """vmap in vmap is two loops; the outer and the inner may map different operands."""
    n = len(operands(rng))
    for outer, inner_ in itertools.product(mixes(n, rng)[:2], mixes(n, rng)[-2:]):
        rows = [mapped_operands(operands, inner_, rng) for _ in range(2)]
        first = rows[0]
        # an operand the outer vmap does not map is the first row's in both
        lanes = [
            [[(lane if o else base)[i] for i, o in enumerate(outer)] for lane, base in zip(r[0], first[0])]
            for r in rows
        ]
        whole = [np.stack([r[1][i] for r in rows]) if o else first[1][i] for i, o in enumerate(outer)]

        def inside(*xs: Any, mapped: list[bool] = inner_) -> list[Any]:
            return batched(flat(op), xs, mapped, LANES)

        found = arrays(batched(inside, values(whole), outer, 2))
        loops = [stacked_loop(flat(op), lane) for lane in lanes]
        expected = [np.stack(column) for column in zip(*loops)]
        require_equal(op, lanes[0][0], f"batch {shown(outer)} of batch {shown(inner_)}", expected, found)


def batch_of_gradient(op: Op, operands: Operands, rng: Rng) -> None:
    """vmap of a gradient is a loop of gradients."""
    xs = operands(rng)
    if not differentiable(op) or not gives_floats(op, xs) or not any(map(carries, xs)):
        return
    pull, both, _ = pullback_of(op, xs, rng)
    bars = both[len(xs) :]
    for mapped in mixes(len(xs), rng):
        lanes, whole = mapped_operands(operands, mapped, rng)
        lanes = [[*lane, *bars] for lane in lanes]
        found = batched(pull, values([*whole, *bars]), [*mapped, *[False] * len(bars)], LANES)
        require_loop(op, f"batch {shown(mapped)} of gradient", pull, lanes, arrays(found))
