"""The numpy backend, the reference: each node is one call of its op's `impl`, by a plan made once.

Floor 4.
"""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np

from minigrad.control.plan import Plan
from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.graph import Graph
from minigrad.op import ndarray
from minigrad.types import SHORT, TensorType


class NumpyExecutable:
    """A graph ready to run as NumPy calls. Safe to call from several threads at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.history: list[Any] = []
        self.seconds = 0.0
        self._wanted = [(v.type.shape, v.type.dtype) for v in graph.inputs]
        self._plan = Plan(graph)
        self._constants = {key for a in self._plan.constants for key in _memory(a)}

    @property
    def nodes(self) -> int:
        return len(self.graph.nodes)

    def __call__(self, arrays: list[ndarray]) -> list[ndarray]:
        """The outputs, none of which shares memory with an input, a constant or another output."""
        inputs = self._admit(arrays)
        with np.errstate(all="ignore"):
            outputs = self._plan.run(inputs)
        return self._own(outputs, inputs)

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
