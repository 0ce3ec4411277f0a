"""What an executable is given, held against what its graph takes.

Floor 4.
"""

from __future__ import annotations

from typing import NoReturn

import numpy as np

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.graph import Graph
from minigrad.op import ndarray
from minigrad.types import SHORT, TensorType

_LIES = 0x101  # NPY_ARRAY_C_CONTIGUOUS | NPY_ARRAY_ALIGNED: its elements one after the other, each where it may be


class Inputs:
    """The inputs of a graph: `admit` gives them as plain ndarrays, `contiguous` also lying in row-major order."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._wanted = [(v.type.shape, v.type.dtype) for v in graph.inputs]
        self._count = len(self._wanted)

    def admit(self, arrays: list[ndarray]) -> list[ndarray]:
        """The inputs, if they are as many and of the types the graph was made for."""
        if len(arrays) != len(self._wanted):
            raise ArgumentError(f"{self._graph.name} takes {len(self._wanted)} inputs, got {len(arrays)}")
        inputs = [a if type(a) is np.ndarray else np.asarray(a) for a in arrays]
        for a, (shape, dtype) in zip(inputs, self._wanted):
            if a.shape != shape or a.dtype != dtype:
                self._refuse(inputs)
        return inputs

    def contiguous(self, arrays: list[ndarray]) -> list[ndarray]:
        """The same, copied where their elements do not lie one after the other."""
        if len(arrays) == self._count:
            for a, (shape, dtype) in zip(arrays, self._wanted):
                if type(a) is not np.ndarray or a.flags.num & _LIES != _LIES:
                    break
                if a.shape != shape or a.dtype is not dtype:
                    break
            else:  # the usual case: the rest would take twice the time
                return arrays
        inputs = self.admit(arrays)
        for k, a in enumerate(inputs):
            if a.flags.num & _LIES != _LIES:
                inputs[k] = np.array(a, order="C")
        return inputs

    def _refuse(self, inputs: list[ndarray]) -> NoReturn:
        for i, (a, v) in enumerate(zip(inputs, self._graph.inputs, strict=True)):
            if (a.shape, a.dtype) != (v.type.shape, v.type.dtype):
                got = str(TensorType(a.shape, a.dtype)) if a.dtype in SHORT else f"an array of {a.dtype}"
                message = f"{self._graph.name}: input {i}{f' ({v.label})' if v.label else ''} is {v.type}, got {got}"
                raise (ShapeError if a.dtype == v.type.dtype else DtypeError)(message)
        raise AssertionError("an input differs from its type")
