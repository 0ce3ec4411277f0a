"""`einsum`: sums of products named by letters, as contractions two operands at a time. No rules here.

Floor 2. Each step contracts the pair that shrinks the work most (greedy, as opt_einsum's default order).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from minigrad.errors import ArgumentError, ShapeError
from minigrad.op import Operand, Value
from minigrad.ops.contract import DotGeneral, common_dtype
from minigrad.ops.elementwise import mul
from minigrad.ops.movement import Permute, Reshape, Sum, without
from minigrad.ops.pieces import slice_axis
from minigrad.types import Size, same_size

Label: TypeAlias = "str | int"  # a letter, or an axis under the ellipsis counted from the right: -1, -2, ...
_UNKNOWN = 64  # what an unknown size counts in the choice of the order


@dataclass
class Term:
    """An operand with a label for each of its axes."""

    x: Any
    labels: tuple[Label, ...]


def einsum(subscripts: str, *operands: Operand) -> Any:
    """Σ over the letters that the output does not name, of the product of the operands.

    `subscripts` is "ij,jk->ik", or "ij,jk" (the output then names, in alphabetical order, the letters that occur
    once); "..." stands for further axes, which broadcast; a letter repeated in one operand takes its diagonal.

    >>> import numpy as np
    >>> einsum("ij,kj->ik", np.ones((2, 3)), np.ones((4, 3))).shape
    (2, 4)
    """
    if not operands:
        raise ArgumentError("einsum: no operands")
    values = common_dtype("einsum", *operands)
    ins, out = _parse(subscripts, values)
    sizes = _sizes(subscripts, values, ins)
    terms = [_prepared(Term(x, labels), sizes) for x, labels in zip(values, ins, strict=True)]
    while len(terms) > 1:
        i, j = _next_pair(terms, out, sizes)
        b, a = terms.pop(j), terms.pop(i)
        kept = set(out).union(*(t.labels for t in terms))
        terms.append(_product(_summed(a, {*kept, *b.labels}), _summed(b, {*kept, *a.labels}), kept))
    last = _summed(terms[0], set(out))
    order = tuple(last.labels.index(k) for k in out)
    return last.x if order == tuple(range(len(order))) else Permute(order)(last.x)


# ── reading the subscripts ─────────────────────────────────────────────────────────────────────────────
def _parse(subscripts: str, values: Sequence[Value]) -> tuple[list[tuple[Label, ...]], tuple[Label, ...]]:
    text = subscripts.replace(" ", "")
    left, arrow, right = text.partition("->")
    parts = left.split(",")
    if len(parts) != len(values):
        raise ArgumentError(f"einsum: {subscripts!r} names {len(parts)} operands, got {len(values)}")
    ins = [_labels(subscripts, part, x) for part, x in zip(parts, values, strict=True)]
    free = min((k for labels in ins for k in labels if isinstance(k, int)), default=0)
    dots: tuple[Label, ...] = tuple(range(free, 0))
    if not arrow:
        every = [k for labels in ins for k in labels if isinstance(k, str)]
        return ins, (*dots, *sorted(k for k in set(every) if every.count(k) == 1))
    head, ellipsis, tail = right.partition("...")
    out = (*head, *dots, *tail) if ellipsis else tuple(head)
    known = {k for labels in ins for k in labels}
    for k in out:
        if k not in known:
            raise ArgumentError(f"einsum: the output of {subscripts!r} names {k!r}, which no operand has")
        if out.count(k) > 1:
            raise ArgumentError(f"einsum: the output of {subscripts!r} names {k!r} twice")
    return ins, out


def _labels(subscripts: str, part: str, x: Value) -> tuple[Label, ...]:
    head, ellipsis, tail = part.partition("...")
    for k in head + tail:
        if not (k.isascii() and k.isalpha()):
            raise ArgumentError(f"einsum: {k!r} in {subscripts!r} is not a letter", hint="write it like 'ij,jk->ik'")
    free = x.ndim - len(head) - len(tail)
    if free < 0 or (free and not ellipsis):
        raise ShapeError(
            f"einsum: {part!r} in {subscripts!r} names {len(head + tail)} axes, but the operand is {x.type}"
        )
    return (*head, *range(-free, 0), *tail)


def _sizes(subscripts: str, values: Sequence[Value], ins: Sequence[tuple[Label, ...]]) -> dict[Label, Size]:
    """The size of each label; 1 gives way to any other."""
    sizes: dict[Label, Size] = {}
    for x, labels in zip(values, ins, strict=True):
        for k, n in zip(labels, x.shape, strict=True):
            so_far = sizes.setdefault(k, n)
            if so_far == 1:
                sizes[k] = n
            elif n != 1 and not same_size(so_far, n):
                name = f"index {k!r}" if isinstance(k, str) else f"axis {k} under the ellipsis"
                shown = ", ".join(str(v.type) for v in values)
                raise ShapeError(f"einsum: {name} of {subscripts!r} has sizes {so_far} and {n} (operands {shown})")
    return sizes


# ── the terms ────────────────────────────────────────────────────────────────────────────────────
def _prepared(t: Term, sizes: dict[Label, Size]) -> Term:
    """Without axes of size 1 that broadcast, and with each label once: its diagonal."""
    thin = [d for d, k in enumerate(t.labels) if t.x.shape[d] == 1 and sizes[k] != 1]
    if thin:
        t.x = Reshape(without(t.x.shape, thin))(t.x)
        t.labels = tuple(k for d, k in enumerate(t.labels) if d not in thin)
    while len(set(t.labels)) < len(t.labels):
        k = next(k for k in t.labels if t.labels.count(k) > 1)
        i = t.labels.index(k)
        t = _diagonal(t, i, t.labels.index(k, i + 1))
    return t


def _diagonal(t: Term, i: int, j: int) -> Term:
    """[.., n, .., n, ..] -> [..., n]: every (n + 1)-th element of the two axes merged."""
    rest = [d for d in range(len(t.labels)) if d not in (i, j)]
    n = t.x.shape[i]
    if not isinstance(n, int):
        raise ShapeError(f"einsum: the diagonal of an axis of unknown size {n} cannot be taken")
    merged = Reshape((*(t.x.shape[d] for d in rest), n * n))(Permute((*rest, i, j))(t.x))
    # of n·n elements those at 0, n + 1, 2(n + 1), ...: exactly n of them
    return Term(slice_axis(merged, -1, 0, n * n, n + 1), (*(t.labels[d] for d in rest), t.labels[i]))


def _summed(t: Term, kept: set[Label]) -> Term:
    """Summed over the labels that nothing else needs."""
    axes = tuple(d for d, k in enumerate(t.labels) if k not in kept)
    return Term(Sum(axes)(t.x), tuple(k for k in t.labels if k in kept)) if axes else t


def _product(a: Term, b: Term, kept: set[Label]) -> Term:
    shared = [k for k in a.labels if k in b.labels]
    over = [k for k in shared if k not in kept]
    if not over:
        return _aligned_product(a, b)
    lanes = [k for k in shared if k in kept]
    pairs = [tuple(tuple(t.labels.index(k) for k in group) for t in (a, b)) for group in (over, lanes)]
    free = [k for t in (a, b) for k in t.labels if k not in shared]
    return Term(DotGeneral(*pairs)(a.x, b.x), (*lanes, *free))  # type: ignore[arg-type]


def _aligned_product(a: Term, b: Term) -> Term:
    """Nothing to sum over: a broadcast product, over the labels of a, then those that only b has."""
    labels = (*a.labels, *(k for k in b.labels if k not in a.labels))
    new = len(labels) - len(a.labels)
    order = sorted(range(len(b.labels)), key=lambda d: labels.index(b.labels[d]))
    moved = b.x if order == sorted(order) else Permute(tuple(order))(b.x)
    place = dict(zip((b.labels[d] for d in order), moved.shape, strict=True))
    spread = Reshape(tuple(place.get(k, 1) for k in labels))(moved)
    return Term(mul(Reshape((*a.x.shape, *(1,) * new))(a.x) if new else a.x, spread), labels)


def _next_pair(terms: Sequence[Term], out: Sequence[Label], sizes: dict[Label, Size]) -> tuple[int, int]:
    """The pair whose product is smallest against its operands; among equals the one with the fewest multiplications."""

    def count(labels: Any) -> int:
        return math.prod(n if isinstance(n := sizes[k], int) else _UNKNOWN for k in labels)

    best: tuple[Any, ...] = ()
    for j in range(len(terms)):
        for i in range(j):
            a, b = set(terms[i].labels), set(terms[j].labels)
            others = set(out).union(*(t.labels for k, t in enumerate(terms) if k not in (i, j)))
            rank = (count((a | b) & others) - count(a) - count(b), count(a | b), i, j)
            best = min(best, rank) if best else rank
    return best[-2:]
