"""The walk backward from tensors: `backward`, `grad`.

Floor 6. Collects the records the outputs depend on, latest first, and hands them to `interpreters.reverse.walk`.
Rules run on plain arrays (`Evaluate`); with `create_graph` they run on tensors and are recorded in turn.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from operator import attrgetter
from typing import Any

import numpy as np

from minigrad.errors import BackwardError, GradientError
from minigrad.interpreters.reverse import pull_through, walk
from minigrad.op import EVALUATE, Array, Value, interpreter
from minigrad.ops.elementwise import add
from minigrad.source import user_place
from minigrad.tape.grad_mode import GRAD
from minigrad.tape.interpreter import TAPE, node_of
from minigrad.tape.memory import MEMORY
from minigrad.tape.record import Overwritten, Record, record_of
from minigrad.tape.shapes import to
from minigrad.tape.tensor import Tensor
from minigrad.types import shape_text


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of the tensors to the `grad` of the leaves (or the `inputs`) they depend on.

    >>> import minigrad.tape as torch
    >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
    >>> torch.autograd.backward((x * x).sum())
    >>> x.grad
    tensor([2., 4.])
    """
    outputs = _sequence(tensors)
    bars = start(outputs, _cotangents(grad_tensors, outputs), "backward", create_graph)
    retain = create_graph if retain_graph is None else retain_graph
    if inputs is None:
        found = Walk(bars, None, retain, create_graph).run()
        for leaf in found:
            accumulate(leaf, found, leaf, create_graph)
        return
    targets = {_key(x, "backward"): x for x in _sequence(inputs)}
    found = Walk(bars, list(targets), retain, create_graph).run()
    for key in found:
        accumulate(targets[key], found, key, create_graph)


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    allow_unused: bool = False,
) -> tuple[Any, ...]:
    """The gradients of the outputs with respect to the inputs, as a tuple; `grad` fields stay as they are.

    >>> import minigrad.tape as torch
    >>> x = torch.tensor(3.0, requires_grad=True)
    >>> (d,) = torch.autograd.grad(x * x * x, x, create_graph=True)
    >>> torch.autograd.grad(d, x)
    (tensor(18.),)
    """
    ys, xs = _sequence(outputs), _sequence(inputs)
    bars = start(ys, _cotangents(grad_outputs, ys), "grad", create_graph)
    keys = [_key(x, "grad") for x in xs]
    found = Walk(bars, keys, create_graph if retain_graph is None else retain_graph, create_graph).run()
    for i, (x, key) in enumerate(zip(xs, keys, strict=True)):
        if key not in found and not allow_unused:
            raise BackwardError(
                f"grad: the outputs do not depend on input {i}, {x.type}",
                hint="pass allow_unused=True to get None for it",
            )
    return tuple(_as_tensor(found, k, create_graph) if k in found else None for k in keys)


# ── where it starts ──────────────────────────────────────────────────────────────────────────────
def start(outputs: Sequence[Tensor], cotangents: Sequence[Any], who: str, create_graph: bool) -> dict[Any, Any]:
    """The cotangents of the outputs, by key: ndarrays; if the way back is recorded, values."""
    bars: dict[Any, Any] = {}
    for y, given in zip(outputs, cotangents, strict=True):
        if not y.requires_grad:
            raise BackwardError(
                f"{who}: {y.type} does not require grad: nothing was recorded on the way to it",
                hint="make a leaf with requires_grad=True, and compute outside no_grad() and without detach()",
            )
        key, bar = node_of(y), _cotangent(y, given, who)
        if create_graph:
            bar = bar if isinstance(bar, Tensor) else Array(bar)
        elif isinstance(bar, Tensor):
            bar = bar._array
        bars[key] = _plus(create_graph)(bars[key], bar) if key in bars else bar
    return bars


def _cotangent(y: Tensor, given: Any, who: str) -> Any:
    if given is None:
        if y._array.size != 1:
            raise GradientError(
                f"{who}: the output is {y.type}, not a scalar, so its gradient needs a direction",
                hint="reduce it first (loss.sum(), loss.mean()), or pass gradient= of its shape",
            )
        return np.array(1, y._array.dtype, ndmin=y._array.ndim)  # np.ones takes five times as long
    bar = given if isinstance(given, Tensor) else np.asarray(given, y.dtype)
    if bar.shape != y.shape:
        raise GradientError(
            f"{who}: the gradient has shape {shape_text(bar.shape)}, the output {y.type}", hint="they must be equal"
        )
    if bar.dtype != y.dtype:
        return to(bar, y.dtype) if isinstance(bar, Tensor) else bar.astype(y.dtype)
    return bar


def _sequence(tensors: Any) -> Sequence[Tensor]:
    return [tensors] if isinstance(tensors, Tensor) else list(tensors)


def _cotangents(given: Any, outputs: Sequence[Tensor]) -> Sequence[Any]:
    if given is None:
        return [None] * len(outputs)
    return given if isinstance(given, (list, tuple)) else [given]


def _key(x: Tensor, who: str) -> Any:
    if not x.requires_grad:
        raise BackwardError(f"{who}: an input, {x.type}, does not require grad", hint="call x.requires_grad_() first")
    return node_of(x)


# ── the walk ─────────────────────────────────────────────────────────────────────────────────────
class Walk:
    """One walk backward. Afterwards the cotangents of leaves, or of `targets` if given, are known by key."""

    def __init__(self, bars: dict[Any, Any], targets: Sequence[Any] | None, retain: bool, create_graph: bool) -> None:
        self.bars, self.targets, self.retain, self.create_graph = bars, targets, retain, create_graph
        self.found: dict[Any, Any] = {}
        self.watched = set(targets or ())

    def run(self) -> dict[Any, Any]:
        records, leaves = reachable(self.bars)
        meaning, grad = interpreter.set(TAPE if self.create_graph else EVALUATE), GRAD.set(self.create_graph)
        try:
            left = walk(self.steps(records, leaves), self.bars, _plus(self.create_graph))
        finally:
            interpreter.reset(meaning)
            GRAD.reset(grad)
        for leaf in leaves if self.targets is None else leaves & self.watched:
            if leaf not in left:  # all that leads to it is flat, as `floor` is
                left[leaf] = self.zeros(leaf._array)
        if self.targets is None:
            return left
        for key in self.targets:
            if key in left:
                self.found[key] = left[key]
        return self.found

    def zeros(self, like: Any) -> Any:
        """The cotangent of something that no rule added to."""
        return Array(np.zeros_like(like)) if self.create_graph else np.zeros_like(like)

    def steps(self, records: list[Record], leaves: set[Any]) -> Iterator[Any]:
        """The records as steps, save those the shortcut takes.

        By the time a record is taken, its results' cotangents are complete: look at them.
        """
        watched, retain, short, bars = self.watched, self.retain, not self.create_graph, self.bars
        all_leaves = self.targets is None or leaves <= watched
        wanted = None if all_leaves else leading_to(records, watched)
        place = None if retain else user_place()
        looked_at = set(map(record_of, watched - leaves))
        for r in records:
            if r.listeners or (looked_at and r in looked_at):
                self.look(r)
            keys = r.ins
            if wanted is not None:
                if r not in wanted:
                    continue
                keys = [k if k in watched or record_of(k) in wanted else None for k in keys]
            if short and (pull := r.shortcut()):
                if (y_bar := bars.pop(r, None)) is not None:
                    pull(y_bar, r.y, r.xs, keys, bars)
            else:
                yield r if short and wanted is None else Step(r, keys, self.create_graph)
            if not retain:
                r.free(place)

    def look(self, r: Record) -> None:
        if r not in self.bars and not r.op.many and r.y is not None:
            self.bars[r] = self.zeros(r.y)
        for key in r.outs:
            if key in self.watched and self.bars.get(key) is not None:
                self.found[key] = self.bars[key]
        for reference in r.listeners or ():
            t = reference()
            if t is not None and self.bars.get(t._node) is not None:
                accumulate(t, self.bars, t._node, self.create_graph)


class Step:
    """A record as a step of the walk, which wants the cotangents of the operands with a key."""

    __slots__ = ("create_graph", "ins", "outs", "record")

    def __init__(self, record: Record, ins: Sequence[Any], create_graph: bool) -> None:
        self.record, self.ins, self.outs, self.create_graph = record, ins, record.outs, create_graph

    def pull(self, y_bars: list[Any]) -> Sequence[Any]:
        r, wanted = self.record, [k is not None for k in self.ins]
        if not self.create_graph:
            return r.pull(y_bars, self.ins)
        xs, y = r.saved()
        xs = [_tensor_again(v, key) for v, key in zip(xs, r.ins, strict=True)]
        ys = [_tensor_again(v, key) for v, key in zip(y if r.op.many else (y,), r.outs, strict=True)]
        return pull_through(r.op, y_bars, tuple(ys) if r.op.many else ys[0], xs, wanted)


def _plus(create_graph: bool) -> Callable[[Any, Any], Any]:
    """How cotangents are added: as `add` of values, recorded in turn, or as ndarrays."""
    return add if create_graph else np.add


def _tensor_again(v: Value, key: Any) -> Any:
    """A saved value as the tensor it was, with its history."""
    if key is None or isinstance(v, Overwritten):
        return v
    return key if isinstance(key, Tensor) else Tensor(v.array, True, key)  # type: ignore[attr-defined]


def reachable(keys: Iterable[Any]) -> tuple[list[Record], set[Any]]:
    """Every record the keys depend on, latest first, and the leaves. A loop: histories are as long as memory allows."""
    found = list({r for r in map(record_of, keys) if type(r) is Record})
    seen: set[Any] = set(found)
    leaves: set[Any] = set()
    for record in found:  # grows as it goes
        for key in record.ins:
            r = key[0] if type(key) is tuple else key
            if r is None or r in seen:
                continue
            seen.add(r)
            if type(r) is Record:
                found.append(r)
            else:
                leaves.add(r)
    found.sort(key=attrgetter("seq"), reverse=True)
    return found, leaves


def leading_to(records: Sequence[Record], targets: set[Any]) -> set[Any]:
    """The records through which a cotangent reaches a target."""
    wanted: set[Any] = set()
    for r in reversed(records):
        if any(k in targets or record_of(k) in wanted for k in r.ins if k is not None):
            wanted.add(r)
    return wanted


# ── where it ends ────────────────────────────────────────────────────────────────────────────────
def accumulate(x: Tensor, bars: dict[Any, Any], key: Any, create_graph: bool) -> None:
    """x.grad += bars[key]."""
    if x.grad is None:
        x.grad = _as_tensor(bars, key, create_graph)
    elif create_graph:
        x.grad = TAPE.apply(add, (x.grad, _as_tensor(bars, key, True)))
    else:
        np.add(x.grad._array, bars[key], out=x.grad._array)
        MEMORY.touch(x.grad._array)


def _as_tensor(bars: dict[Any, Any], key: Any, create_graph: bool) -> Tensor:
    if not create_graph:
        return Tensor(_take_over(bars, key))
    bar = bars[key]
    return bar if isinstance(bar, Tensor) else Tensor(bar.array.copy())


def _take_over(bars: dict[Any, Any], key: Any) -> Any:
    """The numbers of a cotangent in memory that may be written: its own if nobody else holds it, else a copy."""
    array = bars[key]
    if type(array) is not np.ndarray:  # of no axes NumPy makes a number
        return np.asarray(array)
    alone = sys.getrefcount(array) <= _ALONE and array.base is None
    return array if alone and array.flags.writeable else array.copy()


def _count(bars: dict[Any, Any], key: Any) -> int:
    """What `_take_over` counts for a cotangent that only `bars` holds; Python versions differ."""
    array = bars[key]
    return sys.getrefcount(array)


_ALONE = _count({0: np.empty(1)}, 0)


def backward_method(
    self: Tensor,
    gradient: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Sequence[Tensor] | None = None,
) -> None:
    """Add the gradients of this tensor to the `grad` of the leaves it depends on; see `autograd.backward`."""
    backward(self, gradient, retain_graph, create_graph, inputs)


Tensor.backward = backward_method  # type: ignore[attr-defined]
