"""schedule: which kernels a graph becomes. What is computed together, what is stored, what the library does.

Floor 4. Elementwise and movement ops join their readers by index substitution (`inline`), stored values of one loop
space share a kernel (`group`), contractions are calls of BLAS (`matmul`), convolutions too (`channels`,
`convolve`, `patches`), reductions take what they sum in, and what
has no lowering runs through its NumPy implementation. A loop or a branch is a kernel that holds schedules.
"""

from __future__ import annotations

from minigrad.control import Cond, Scan, While
from minigrad.graph import Graph, subgraphs
from minigrad.passes.schedule import group
from minigrad.passes.schedule.channels import channels_outermost
from minigrad.passes.schedule.explain import explain
from minigrad.passes.schedule.inline import Inliner
from minigrad.passes.schedule.matmul import layout
from minigrad.passes.schedule.parts import (
    ControlKernel,
    CopyKernel,
    ForeignKernel,
    Kernel,
    LibraryKernel,
    LoopKernel,
    Part,
    PatchKernel,
    Root,
    Schedule,
)
from minigrad.passes.schedule.places import compared

__all__ = [
    "ControlKernel",
    "CopyKernel",
    "ForeignKernel",
    "Kernel",
    "LibraryKernel",
    "LoopKernel",
    "Part",
    "PatchKernel",
    "Root",
    "Schedule",
    "explain",
    "schedule",
]


def schedule(graph: Graph) -> Schedule:
    """The kernels for a graph."""
    graph = layout(compared(channels_outermost(graph)))
    result = group.schedule(graph, Inliner(graph))
    result.kernels = [_holding(kernel) for kernel in result.kernels]
    return result


def _holding(kernel: Kernel) -> Kernel:
    """Control flow as kernels that hold others: until now it was foreign like all that holds graphs."""
    op = kernel.node.op if isinstance(kernel, ForeignKernel) else None
    if not isinstance(kernel, ForeignKernel) or not isinstance(op, Scan | While | Cond):
        return kernel
    never = isinstance(op, Scan) and op.length == 0
    return ControlKernel(kernel.node, () if never else tuple(map(schedule, subgraphs(op))))
