"""The numpy backend, the reference: each node is one call of its op's `impl`, by a plan made once.

Floor 4. Values live in numbered slots; a step names the slots it reads, the one it writes and those nobody reads
afterwards. What the plan adds to the NumPy calls is about 0.2 µs a node.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, MinigradError, ShapeError
from minigrad.graph import Atom, Const, Graph, Node, Var, last_uses
from minigrad.op import ndarray
from minigrad.ops.rows import Row
from minigrad.source import UNKNOWN, user_line
from minigrad.types import SHORT, TensorType

# impl, slots read, slot (or slots) written, slots freed, the node
Step = tuple[Callable[..., Any], tuple[int, ...], Any, tuple[int, ...], Node]


class NumpyExecutable:
    """A graph as a flat list of steps over slots. Safe to call from several threads at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.history: list[Any] = []
        self.seconds = 0.0
        self._wanted = [(v.type.shape, v.type.dtype) for v in graph.inputs]
        self._start: list[Any] = [None] * len(graph.inputs)  # the slots before the first step: constants in place
        self._slot: dict[Any, int] = {v: i for i, v in enumerate(graph.inputs)}
        dying = last_uses(graph)
        self._steps = [self._step(n, dying.get(i, [])) for i, n in enumerate(graph.nodes)]
        self._outputs = [self._slot_of(a) for a in graph.outputs]
        self._constants = {key for a in self._start if a is not None for key in _memory(a)}

    @property
    def nodes(self) -> int:
        return len(self.graph.nodes)

    def _slot_of(self, a: Atom) -> int:
        """Where an atom lives; a constant or a new Var gets the next free slot."""
        slot = self._slot.get(a)
        if slot is None:
            slot = self._slot[a] = len(self._start)
            self._start.append(a.array if isinstance(a, Const) else None)
        return slot

    def _step(self, n: Node, dying: list[Var]) -> Step:
        ins = tuple([self._slot_of(a) for a in n.ins])
        outs = tuple([self._slot_of(v) for v in n.outs])
        impl = n.op.numpy if isinstance(n.op, Row) else n.op.impl  # a row's impl only calls its NumPy function
        return impl, ins, outs if n.op.many else outs[0], tuple([self._slot_of(v) for v in dying]), n

    def __call__(self, arrays: list[ndarray]) -> list[ndarray]:
        """The outputs, none of which shares memory with an input, a constant or another output."""
        slots = self._start.copy()
        inputs = self._admit(arrays)
        slots[: len(inputs)] = inputs
        node: Any = None
        try:
            with np.errstate(all="ignore"):
                for impl, ins, out, dead, node in self._steps:  # noqa: B007 (the error below wants the node)
                    y = impl(*[slots[i] for i in ins])
                    if type(out) is int:
                        # NumPy gives scalars for 0-d results; ops are promised arrays
                        slots[out] = y if type(y) is np.ndarray else np.asarray(y)
                    else:
                        for i, a in zip(out, y, strict=True):
                            slots[i] = np.asarray(a)
                    for i in dead:
                        slots[i] = None
        except Exception as error:
            _explain(error, node)
        return self._own([slots[i] for i in self._outputs], inputs)

    def _admit(self, arrays: list[ndarray]) -> list[ndarray]:
        """The inputs as plain ndarrays, if they are as many and of the types the graph was made for."""
        if len(arrays) != len(self._wanted):
            raise ArgumentError(f"{self.graph.name} takes {len(self._wanted)} inputs, got {len(arrays)}")
        inputs = [a if type(a) is np.ndarray else np.asarray(a) for a in arrays]
        for a, (shape, dtype) in zip(inputs, self._wanted, strict=True):
            if a.shape != shape or a.dtype != dtype:
                self._refuse(inputs)
        return inputs

    def _refuse(self, inputs: list[ndarray]) -> NoReturn:
        for i, (a, v) in enumerate(zip(inputs, self.graph.inputs, strict=True)):
            if (a.shape, a.dtype) != (v.type.shape, v.type.dtype):
                got = str(TensorType(a.shape, a.dtype)) if a.dtype in SHORT else f"an array of {a.dtype}"
                message = f"{self.graph.name}: input {i}{f' ({v.label})' if v.label else ''} is {v.type}, got {got}"
                raise (ShapeError if a.dtype == v.type.dtype else DtypeError)(message)
        raise AssertionError("an input differs from its type")

    def _own(self, outputs: list[ndarray], inputs: list[ndarray]) -> list[ndarray]:
        """Outputs the caller may write into: copied where they would be views of anything else that lives."""
        taken = {key for a in inputs for key in _memory(a)} | self._constants
        owned = []
        for y in outputs:
            memory = _memory(y)
            whole = y.base is None or getattr(y.base, "size", -1) == y.size  # else a small view keeps a big array alive
            if not whole or not y.flags.writeable or not taken.isdisjoint(memory):
                y = y.copy()
                memory = _memory(y)
            taken.update(memory)
            owned.append(y)
        return owned


def _memory(a: ndarray) -> tuple[int, ...]:
    """Which memory an array stands on, as identities: two arrays that share memory have one in common.

    NumPy keeps the owner of the memory, not the whole chain of views, in `base`.
    """
    return (id(a),) if a.base is None else (id(a), id(a.base))


def _explain(error: Exception, node: Node | None) -> NoReturn:
    """Raise the error again with the line that built its node; its own line is the one that ran the graph.

    An exception that is not minigrad's (from a user's callback, or MemoryError) keeps its type and gets a note.
    """
    if node is None:
        raise error
    built = (f"in {node.op.label}, built at", node.line)
    if isinstance(error, MinigradError):
        raise type(error)(error.what, hint=error.hint, lines=[*error.lines, built]) from error
    for label, line in (built, ("run at", user_line())):
        if line is not UNKNOWN:
            error.add_note(f"  {label} {line}")
    raise error
