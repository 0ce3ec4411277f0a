"""schedule: which kernels a graph becomes. What is computed together, what is stored, what the library does.

Floor 4. Elementwise and movement ops join their readers by index substitution (`inline`), stored values of one loop
space share a kernel (`group`), contractions are calls of BLAS (`matmul`), reductions take what they sum in, and what
has no lowering runs through its NumPy implementation.
"""

from __future__ import annotations

from minigrad.graph import Graph
from minigrad.passes.schedule import group
from minigrad.passes.schedule.inline import Inliner
from minigrad.passes.schedule.matmul import layout
from minigrad.passes.schedule.parts import (
    CopyKernel,
    ForeignKernel,
    Kernel,
    LibraryKernel,
    LoopKernel,
    Part,
    Root,
    Schedule,
)
from minigrad.passes.schedule.places import compared

__all__ = [
    "CopyKernel",
    "ForeignKernel",
    "Kernel",
    "LibraryKernel",
    "LoopKernel",
    "Part",
    "Root",
    "Schedule",
    "schedule",
]


def schedule(graph: Graph) -> Schedule:
    """The kernels for a graph."""
    graph = layout(compared(graph))
    return group.schedule(graph, Inliner(graph))
