"""The llvm backend: a graph as one native function. What has no lowering runs through its NumPy implementation.

Floor 4. A call makes the outputs, takes an arena that no other call is using, and hands over one list of arrays.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from dataclasses import field
from typing import Any

import numpy as np

from minigrad.backends import native
from minigrad.backends.inputs import Inputs
from minigrad.backends.outputs import Outputs, arena
from minigrad.backends.threads import prepare
from minigrad.control.plan import explain
from minigrad.frozen import dataclass
from minigrad.graph import Graph, Node
from minigrad.loops.program import program
from minigrad.op import ndarray
from minigrad.passes.inline import inline
from minigrad.passes.plan import Plan, plan
from minigrad.passes.reuse import reuse, stream
from minigrad.passes.schedule import ForeignKernel, schedule
from minigrad.types import TensorType


class LlvmExecutable:
    """A graph compiled into one function. Safe to call from several threads at once."""

    def __init__(self, graph: Graph, program: Program, code: native.Native) -> None:
        self.program, self.native = program, code
        self.seconds = 0.0
        self.nodes = program.kernels
        self._run = code.run
        self._threaded = code.threaded
        self._inputs = Inputs(graph)
        self._outputs = Outputs(graph)
        self._arenas: list[ndarray] = []  # those no call is using

    def __call__(self, arrays: list[ndarray], given: Collection[int] = ()) -> list[ndarray]:
        """The outputs, in arrays of their own. `given`: the inputs that may be written into, where that was planned."""
        inputs = self._inputs.contiguous(arrays)
        outputs = self._outputs.arrays()
        program = self.program
        if program.reused:
            inputs = self._taken_over(inputs, outputs, arrays, given)
        temporaries = self._arenas.pop() if self._arenas else arena(program.arena)
        if self._threaded:
            prepare()
        values = [*program.constants, *inputs, *outputs, temporaries]
        if program.foreign:
            self._call_with_foreign(values)
        else:
            self._run(values)
        self._arenas.append(temporaries)
        return outputs

    def _taken_over(
        self, inputs: list[ndarray], outputs: list[ndarray], arrays: list[ndarray], given: Collection[int]
    ) -> list[ndarray]:
        """Where outputs lie where inputs lay: those inputs, or copies of those that are the caller's to keep."""
        inputs = list(inputs)
        for k, j in self.program.reused.items():
            mine = j in given and inputs[j].flags.writeable
            if not mine and np.may_share_memory(inputs[j], arrays[j]):  # also of other classes: they are viewed
                inputs[j] = inputs[j].copy()
            outputs[k] = inputs[j]
        return inputs

    def _call_with_foreign(self, values: list[ndarray]) -> None:
        frame = _Frame(self.program.foreign, values)
        _frames[id(values)] = frame
        try:
            with np.errstate(all="ignore"):
                self._run(values)
        except Exception as error:
            if error is not frame.error:  # a signal's handler raised it
                raise
            explain(error, frame.node)
        finally:
            del _frames[id(values)]


class Compiled(LlvmExecutable):
    """One that was compiled in this process, from a graph the passes are done with."""

    def __init__(self, graph: Graph, donated: Collection[int] = ()) -> None:
        self.graph = graph
        self.history: list[Any] = []
        self.schedule = schedule(inline(graph))
        reused = reuse(self.schedule, donated)
        stream(self.schedule)
        planned = plan(self.schedule)
        self.text, size = program(planned, native.layout(), native.vector_bytes())
        super().__init__(graph, Program.of(planned, size, reused), native.native(self.text, CALLBACK))


# ── what native code needs beside itself ─────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Program:
    """The constants, the size of the arena, the nodes of the kernels that are called back, and how many kernels."""

    constants: list[ndarray]
    arena: int
    foreign: list[Node]
    kernels: int
    reused: dict[int, int] = field(default_factory=dict)  # outputs that lie where donated inputs lay

    @classmethod
    def of(cls, plan: Plan, size: int, reused: dict[int, int]) -> Program:
        kernels = list(plan.schedule.every())
        nodes = [k.node for k in kernels if isinstance(k, ForeignKernel)]
        return cls([np.ascontiguousarray(a) for a in plan.constants], size, nodes, len(kernels), reused)


# ── the callback into the reference ──────────────────────────────────────────────────────────────
class _Frame:
    """A call in progress."""

    def __init__(self, foreign: list[Node], values: list[ndarray]) -> None:
        self.foreign, self.values = foreign, values
        self.error: Exception | None = None
        self.node: Any = None

    def run(self, node: Node, addresses: int) -> None:
        atoms = (*node.ins, *node.outs)
        found = (ctypes.c_size_t * len(atoms)).from_address(addresses)
        arrays = [self.array(a.type, at) for a, at in zip(atoms, found)]
        y = node.op.impl(*arrays[: len(node.ins)])
        for out, result in zip(arrays[len(node.ins) :], y if node.op.many else (y,), strict=True):
            out[...] = result

    def array(self, t: TensorType, at: int) -> ndarray:
        memory: Any = (ctypes.c_char * max(t.size * t.dtype.itemsize, 1)).from_address(at)
        memory.owner = self.values  # lives as long as the array does
        return np.ndarray(t.shape, t.dtype, memory)


_frames: dict[int, _Frame] = {}  # by the identity of the list of arrays, which is all that native code knows


def _call_back(values: int, k: int, addresses: int) -> None:
    frame = _frames[values]
    try:
        frame.run(frame.foreign[k], addresses)
    except Exception as error:
        frame.error, frame.node = error, frame.foreign[k]
        raise


CALLBACK = id(_call_back)  # where CPython keeps it
