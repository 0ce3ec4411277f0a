"""The walk backward from tensors: `backward`, `grad`.

Floor 6. Collects the records the outputs depend on, latest first, and hands them to `interpreters.reverse.walk`.
Rules run on plain arrays (`Evaluate`); with `create_graph` they run on tensors and are recorded in turn.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
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
from minigrad.tape.record import Overwritten, Record
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
    """The cotangents of the outputs, by key."""
    bars: dict[Any, Any] = {}
    for y, given in zip(outputs, cotangents, strict=True):
        if not y.requires_grad:
            raise BackwardError(
                f"{who}: {y.type} does not require grad: nothing was recorded on the way to it",
                hint="make a leaf with requires_grad=True, and compute outside no_grad() and without detach()",
            )
        key, bar = node_of(y), _cotangent(y, given, who)
        bar = bar if create_graph and isinstance(bar, Tensor) else Array(bar._array if isinstance(bar, Tensor) else bar)
        bars[key] = add(bars[key], bar) if key in bars else bar
    return bars


def _cotangent(y: Tensor, given: Any, who: str) -> Any:
    if given is None:
        if y._array.size != 1:
            raise GradientError(
                f"{who}: the output is {y.type}, not a scalar, so its gradient needs a direction",
                hint="reduce it first (loss.sum(), loss.mean()), or pass gradient= of its shape",
            )
        return np.ones(y._array.shape, y._array.dtype)
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
            left = walk(self.steps(records, leaves), self.bars, add if self.create_graph else _plus)
        finally:
            interpreter.reset(meaning)
            GRAD.reset(grad)
        if self.targets is None:
            return left
        self.found.update((k, left[k]) for k in self.targets if k in left)
        return self.found

    def steps(self, records: list[Record], leaves: set[Any]) -> Iterator[Any]:
        """The records as steps. By the time a record is taken, its results' cotangents are complete: look at them."""
        watched, retain = self.watched, self.retain
        all_leaves = self.targets is None or leaves <= watched
        wanted = None if all_leaves else leading_to(records, watched)
        plain = wanted is None and not self.create_graph
        place = None if retain else user_place()
        looked_at = {r for r in map(_record, watched) if type(r) is Record}
        for r in records:
            if r.listeners or (looked_at and r in looked_at):
                self.look(r)
            if wanted is None or r in wanted:
                yield r if plain else Step(r, wanted, watched, self.create_graph)
                if not retain:
                    r.free(place)

    def look(self, r: Record) -> None:
        for key in r.outs:
            if key in self.watched and self.bars.get(key) is not None:
                self.found[key] = self.bars[key]
        for reference in r.listeners or ():
            t = reference()
            if t is not None and self.bars.get(t._node) is not None:
                accumulate(t, self.bars, t._node, self.create_graph)


class Step:
    """A record as a step of a walk that is restricted (to what leads to the targets) or recorded itself."""

    __slots__ = ("create_graph", "ins", "outs", "record")

    def __init__(self, record: Record, wanted: set[Any] | None, targets: set[Any], create_graph: bool) -> None:
        self.record, self.outs, self.create_graph = record, record.outs, create_graph
        self.ins = record.ins
        if wanted is not None:
            self.ins = [k if k in targets or _record(k) in wanted else None for k in record.ins]

    def pull(self, y_bars: list[Any]) -> Sequence[Any]:
        if not self.create_graph:
            return self.record.pull(y_bars, self.ins)
        r, wanted = self.record, [k is not None for k in self.ins]
        xs, y = r.saved()
        xs = [_tensor_again(v, key) for v, key in zip(xs, r.ins, strict=True)]
        ys = [_tensor_again(v, key) for v, key in zip(y if r.op.many else (y,), r.outs, strict=True)]
        return pull_through(r.op, y_bars, tuple(ys) if r.op.many else ys[0], xs, wanted)


def _plus(a: Any, b: Any) -> Any:
    """a + b; of arrays without asking what adding means here."""
    return Array(a.array + b.array) if _alike(a, b) else add(a, b)


def _alike(a: Any, b: Any) -> bool:
    """Are both arrays of one shape? (Of no axes NumPy makes no array, but a number.)"""
    return type(a) is type(b) is Array and a.array.shape == b.array.shape != ()


def _tensor_again(v: Value, key: Any) -> Any:
    """A saved value as the tensor it was, with its history."""
    if key is None or isinstance(v, Overwritten):
        return v
    return key if isinstance(key, Tensor) else Tensor(v.array, True, key)  # type: ignore[attr-defined]


def _record(key: Any) -> Any:
    return key[0] if type(key) is tuple else key


def reachable(keys: Iterable[Any]) -> tuple[list[Record], set[Any]]:
    """Every record the keys depend on, latest first, and the leaves. A loop: histories are as long as memory allows."""
    found = list({r for r in map(_record, keys) if type(r) is Record})
    seen, leaves = set[Any](found), set[Any]()
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
        if any(k in targets or _record(k) in wanted for k in r.ins if k is not None):
            wanted.add(r)
    return wanted


# ── where it ends ────────────────────────────────────────────────────────────────────────────────
def accumulate(x: Tensor, bars: dict[Any, Any], key: Any, create_graph: bool) -> None:
    """x.grad += bars[key]."""
    if create_graph:
        bar = _as_tensor(bars, key, True)
        x.grad = bar if x.grad is None else TAPE.apply(add, (x.grad, bar))
    elif x.grad is None:
        x.grad = Tensor(_take_over(bars, key))
    else:
        np.add(x.grad._array, bars[key].array, out=x.grad._array)
        MEMORY.touch(x.grad._array)


def _as_tensor(bars: dict[Any, Any], key: Any, create_graph: bool) -> Tensor:
    bar = bars[key]
    if isinstance(bar, Tensor):
        return bar if create_graph else bar.detach()
    del bar
    return Tensor(_take_over(bars, key))


def _take_over(bars: dict[Any, Any], key: Any) -> Any:
    """The numbers of a cotangent in memory that may be written: its own if nobody else holds it, else a copy."""
    bar = bars[key]
    array = bar.array
    alone = sys.getrefcount(bar) <= _ALONE[0] and sys.getrefcount(array) <= _ALONE[1] and array.base is None
    return array if alone and array.flags.writeable else array.copy()


def _counts(bars: dict[Any, Any], key: Any) -> tuple[int, int]:
    """What `_take_over` counts for a cotangent that only `bars` holds; Python versions differ."""
    bar = bars[key]
    array = bar.array
    return sys.getrefcount(bar), sys.getrefcount(array)


_ALONE = _counts({0: Array(np.empty(1))}, 0)


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
