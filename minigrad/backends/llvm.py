"""The llvm backend: a graph as one native function. What has no lowering runs through its NumPy implementation.

Floor 4. A call makes the outputs, takes an arena that no other call is using, and hands over one list of arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backends import native
from minigrad.backends.inputs import Inputs
from minigrad.control.plan import explain
from minigrad.graph import Atom, Graph, Node
from minigrad.loops.program import program
from minigrad.op import ndarray
from minigrad.passes.inline import inline
from minigrad.passes.plan import ALIGNMENT, Plan, plan
from minigrad.passes.schedule import ForeignKernel, schedule


class LlvmExecutable:
    """A graph compiled into one function. Safe to call from several threads at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.history: list[Any] = []
        self.seconds = 0.0
        self.schedule = schedule(inline(graph))
        self._plan = plan(self.schedule)
        self._foreign = [_Foreign(k.node, self._plan) for k in self.schedule.kernels if isinstance(k, ForeignKernel)]
        self.text = program(self._plan, native.layout())
        self.native = native.native(self.text, _CALLBACK_ADDRESS)
        self._run = self.native.run
        self._inputs = Inputs(graph)
        self._outputs = [(v.type.shape, v.type.dtype) for v in graph.outputs]
        self._constants = [np.ascontiguousarray(a) for a in self._plan.constants]
        self._arenas: list[ndarray] = []  # those no call is using

    @property
    def nodes(self) -> int:
        """The kernels."""
        return len(self.schedule.kernels)

    def __call__(self, arrays: list[ndarray]) -> list[ndarray]:
        """The outputs, in arrays of their own."""
        inputs = self._inputs.contiguous(arrays)
        outputs = [np.empty(shape, dtype) for shape, dtype in self._outputs]
        arena = self._arenas.pop() if self._arenas else _aligned(self._plan.arena)
        values = [*self._constants, *inputs, *outputs, arena]
        if self._foreign:
            self._call_with_foreign(values)
        else:
            self._run(values)
        self._arenas.append(arena)
        return outputs

    def _call_with_foreign(self, values: list[ndarray]) -> None:
        frame = _Frame(self._foreign, values)
        _frames[id(values)] = frame
        try:
            with np.errstate(all="ignore"):
                self._run(values)
        finally:
            del _frames[id(values)]
        if frame.error is not None:
            explain(frame.error, frame.node)


def _aligned(nbytes: int) -> ndarray:
    whole = np.empty(nbytes + ALIGNMENT, np.uint8)
    start = -whole.ctypes.data % ALIGNMENT
    return whole[start : start + nbytes]


# ── the callback into the reference ──────────────────────────────────────────────────────────────
class _Foreign:
    """One foreign kernel: its node, and how to find its operands and results among a call's arrays."""

    def __init__(self, node: Node, plan: Plan) -> None:
        self.node = node
        self._ins = [_finder(a, plan) for a in node.ins]
        self._outs = [_finder(v, plan) for v in node.outs]

    def run(self, values: list[ndarray]) -> None:
        y = self.node.op.impl(*[find(values) for find in self._ins])
        for find, result in zip(self._outs, y if self.node.op.many else (y,), strict=True):
            find(values)[...] = result


def _finder(a: Atom, plan: Plan) -> Any:
    """values -> the array of a value, of its shape and dtype."""
    place, shape, dtype = plan.place(a), a.type.shape, a.type.dtype
    constants, inputs = len(plan.constants), len(plan.schedule.graph.inputs)
    match place.kind:
        case "arena":
            start, stop = place.at, place.at + a.type.size * dtype.itemsize
            return lambda values: values[-1][start:stop].view(dtype).reshape(shape)
        case "constant":
            k = place.at
        case "input":
            k = constants + place.at
        case _:
            k = constants + inputs + place.at
    return lambda values: values[k].reshape(shape)


class _Frame:
    """A call in progress."""

    def __init__(self, foreign: list[_Foreign], values: list[ndarray]) -> None:
        self.foreign, self.values = foreign, values
        self.error: Exception | None = None
        self.node: Any = None


_frames: dict[int, _Frame] = {}  # by the identity of the list of arrays, which is all that native code knows


def _call_back(values: int, k: int) -> int:
    frame = _frames[values]
    try:
        frame.foreign[k].run(frame.values)
    except BaseException as error:
        frame.error, frame.node = error, frame.foreign[k].node  # type: ignore[assignment]
        return 1
    return 0


_CALLBACK = native.Foreign(_call_back)
_CALLBACK_ADDRESS = native.address(_CALLBACK)
