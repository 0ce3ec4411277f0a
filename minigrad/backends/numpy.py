"""The numpy backend, the reference: each node is one call of its op's `impl`, by a plan made once.

Floor 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from minigrad.backends.inputs import Inputs
from minigrad.control.plan import Plan
from minigrad.graph import Graph
from minigrad.op import ndarray


class NumpyExecutable:
    """A graph ready to run as NumPy calls. Safe to call from several threads at once."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.history: list[Any] = []
        self.seconds = 0.0
        self._inputs = Inputs(graph)
        self._plan = Plan(graph)
        self._constants = {key for a in self._plan.constants for key in _memory(a)}

    @property
    def nodes(self) -> int:
        return len(self.graph.nodes)

    def __call__(self, arrays: list[ndarray]) -> list[ndarray]:
        """The outputs, none of which shares memory with an input, a constant or another output."""
        inputs = self._inputs.admit(arrays)
        with np.errstate(all="ignore"):
            outputs = self._plan.run(inputs)
        return self._own(outputs, inputs)

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
