"""What the tape remembers of one op: the op, what it was given, what it gave, and whose history it continues.

Floor 6. Records point from results to inputs, so a graph lives exactly as long as a tensor needs it; each bears the
time it was made, so the walk backward (`interpreters.reverse.walk`, the one all front-ends use) takes them latest
first. A record is the key of its own result's cotangent; of several results, key k is the pair (record, k).
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from minigrad.errors import BackwardError
from minigrad.interpreters.reverse import pull_through
from minigrad.op import Array, Handle, Interpreter, Op, Value, ndarray
from minigrad.ops.rows import Row
from minigrad.source import Line, Place, line_at
from minigrad.tape.memory import MEMORY, Write
from minigrad.tape.shortcut import derivative
from minigrad.types import TensorType


class Record:
    """One op on the tape; what `tensor.grad_fn` shows."""

    __slots__ = ("freed", "ins", "listeners", "op", "place", "seq", "way_back", "xs", "y")

    def __init__(self, op: Op, xs: Any, y: Any, ins: Sequence[Any], seq: int, place: Place | None) -> None:
        self.op, self.xs, self.y, self.ins, self.seq, self.place = op, xs, y, ins, seq, place
        self.way_back: Callable[[list[Any]], Sequence[Any]] | None = None  # of ops that save more than (xs, y)
        self.listeners: list[Any] | None = None  # weak references to result tensors that want their grad

    @property
    def outs(self) -> tuple[Any, ...]:
        return tuple([(self, k) for k in range(len(self.y))]) if self.op.many else (self,)

    def pull(self, y_bars: list[Any], wanted: Sequence[Any] | None = None) -> Sequence[Any]:
        """The cotangents of the operands (a `Step` of the walk); only of those whose key in `wanted` is not None."""
        op, y_bar, ins = self.op, y_bars[0], self.ins if wanted is None else wanted
        if type(op) is Row and type(y_bar) is Array and self.xs is not None:
            derived = derivative(op, self.y.dtype)
            if derived is not None and (MEMORY.last < self.seq or self.intact(derived[1])):
                return derived[0](y_bar, self.y, self.xs, ins)
        return self.pull_wanted(y_bars, [key is not None for key in ins])

    def intact(self, reads: Iterable[int]) -> bool:
        """Is everything the derivative reads of (y, *xs) still as it was saved?"""
        saved = (self.y, *self.xs)
        return all(MEMORY.write_since(saved[i], self.seq) is None for i in reads)

    def pull_wanted(self, y_bars: list[Any], wanted: Sequence[bool]) -> Sequence[Any]:
        xs, y = self.saved()
        if self.way_back is None:
            return pull_through(self.op, y_bars, y, xs, wanted)
        for x in xs:
            if isinstance(x, Overwritten):  # what the way back reads is its own affair
                raise x.error()
        return self.way_back(y_bars)

    def saved(self) -> tuple[list[Any], Any]:
        """(operands, result) as values. Those overwritten since raise when a rule reads their numbers, not before."""
        if self.xs is None:
            raise self.freed_error()
        xs = [self.value(a) for a in self.xs]
        return xs, tuple(map(self.value, self.y)) if self.op.many else self.value(self.y)

    def value(self, a: Any) -> Value:
        write = MEMORY.write_since(a, self.seq)
        return Array(a) if write is None else Overwritten(a, self, write)

    def free(self, place: Place | None) -> None:
        """Let the saved values go; remember which backward did it."""
        self.xs = self.way_back = self.listeners = None
        self.y = (None,) * len(self.y) if self.op.many else None
        self.freed = place

    def listen(self, tensor: Any) -> None:
        """This result wants its gradient kept (`retain_grad`)."""
        self.listeners = [*(self.listeners or ()), weakref.ref(tensor)]

    def freed_error(self) -> BackwardError:
        return BackwardError(
            f"backward: an earlier backward has already freed what {self.op.label} saved",
            hint="pass retain_graph=True to the earlier backward to walk the same graph again, "
            "or detach() what an earlier iteration left behind",
            lines=[(f"{self.op.label} recorded at", line_at(self.place)), ("freed at", line_at(self.freed))],
        )

    # ── for readers ──────────────────────────────────────────────────────────────────────────────
    @property
    def line(self) -> Line:
        return line_at(self.place)

    @property
    def next_functions(self) -> tuple[tuple[Any, int], ...]:
        """As PyTorch: per operand its history and which of its results, (None, 0) where none is recorded."""
        return tuple(_function(key) for key in self.ins)

    def __repr__(self) -> str:
        where = "" if self.place is None else f" at {self.line.place}"
        return f"<{self.op.label}{where}>"


class Accumulate:
    """Where a walk backward ends: adds to the `grad` of a leaf."""

    __slots__ = ("variable",)
    next_functions = ()

    def __init__(self, variable: Any) -> None:
        self.variable = variable

    def __repr__(self) -> str:
        return f"<accumulate into leaf {self.variable.type}>"


def _function(key: Any) -> tuple[Any, int]:
    if key is None or isinstance(key, Record):
        return key, 0
    return key if type(key) is tuple else (Accumulate(key), 0)


class Overwritten(Handle):
    """A saved value whose memory was written in place since. Its type is known; any op that wants its numbers fails."""

    __slots__ = ("held", "record", "write")
    front_end = "tape"

    def __init__(self, held: ndarray, record: Record, write: Write) -> None:
        self.held, self.record, self.write = held, record, write

    @property
    def type(self) -> TensorType:  # type: ignore[override]
        return TensorType(self.held.shape, self.held.dtype)

    def home(self) -> Interpreter:
        raise self.error()

    def concrete(self, why: str) -> ndarray:
        raise self.error()

    def origin(self) -> Line:
        return self.record.line

    def error(self) -> BackwardError:
        op = self.record.op.label
        return BackwardError(
            f"backward: {op} needs a value {self.type} it saved, but the value has been changed in place",
            hint="change a copy instead (x = x + 1 rather than x += 1), or clone() before the change",
            lines=[(f"saved by {op} at", self.record.line), ("changed at", line_at(self.write.place))],
        )
