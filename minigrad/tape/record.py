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
from minigrad.tape.shortcut import Pull, derivative
from minigrad.types import TensorType


class Record:
    """One op on the tape; what `tensor.grad_fn` shows."""

    __slots__ = ("freed", "ins", "listeners", "op", "place", "seq", "way_back", "xs", "y")

    def __init__(self, op: Op, xs: Any, y: Any, ins: Sequence[Any], seq: int, place: Place | None) -> None:
        self.op, self.xs = op, xs  # in pairs: of more Python would build a tuple
        self.y, self.ins = y, ins
        self.seq, self.place = seq, place
        self.way_back: Callable[[list[Any]], Sequence[Any]] | None = None  # of ops that save more than (xs, y)
        self.listeners: list[Any] | None = None  # weak references to result tensors that want their grad

    @property
    def outs(self) -> tuple[Any, ...]:
        return tuple([(self, k) for k in range(len(self.y))]) if self.op.many else (self,)

    def shortcut(self) -> Pull | None:
        """The short way back, if there is one and all it reads is as it was saved."""
        op = self.op
        if type(op) is not Row or self.xs is None:
            return None
        derived = derivative(op, self.y.dtype)
        if derived is None or not (MEMORY.last < self.seq or self.intact(derived[1])):
            return None
        return derived[0]

    def intact(self, reads: Iterable[int]) -> bool:
        """Is everything the derivative reads of (y, *xs) still as it was saved?"""
        saved = (self.y, *self.xs)
        return all(MEMORY.write_since(saved[i], self.seq) is None for i in reads)

    def pull(self, y_bars: list[Any], ins: Sequence[Any] | None = None) -> Sequence[Any]:
        """The cotangents of the operands with a key, as ndarrays, by the op's rule (a `Step` of the walk)."""
        xs, y = self.saved()
        y_bars = [None if b is None else Array(b) for b in y_bars] if self.op.many else [Array(y_bars[0])]
        if self.way_back is None:
            wanted = [key is not None for key in ins or self.ins]
            x_bars = pull_through(self.op, y_bars, y, xs, wanted)
        else:
            for x in xs:
                if isinstance(x, Overwritten):  # what the way back reads is its own affair
                    raise x.error()
            x_bars = self.way_back(y_bars)
        return [None if b is None else b.array for b in x_bars]

    def saved(self) -> tuple[list[Any], Any]:
        """(operands, result) as values. Those overwritten since raise when a rule reads their numbers, not before."""
        if self.xs is None:
            raise self.freed_error()
        value = Array if MEMORY.last < self.seq else self.value
        return list(map(value, self.xs)), tuple(map(value, self.y)) if self.op.many else value(self.y)

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


def record_of(key: Any) -> Any:
    """The record whose result a key stands for; a leaf is its own, None has none."""
    return key[0] if type(key) is tuple else key


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
