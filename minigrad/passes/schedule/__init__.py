"""schedule: which kernels a graph becomes. What is computed together, what is stored, what the library does.

Floor 4. Elementwise and movement ops join their readers by index substitution (`inline`), stored values of one loop
space share a kernel (`group`), contractions are calls of BLAS (`matmul`), most convolutions too (`channels`,
`convolve`, `winograd`, `patches`; `direct` ones are elementwise), both with the elementwise loops behind them
(`tails`), reductions take what they sum in, and what has no lowering runs through its NumPy implementation. A loop or
a branch is a kernel that holds schedules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from minigrad.control import Cond, Scan, While
from minigrad.graph import Graph, Node, Var
from minigrad.passes.schedule import group
from minigrad.passes.schedule.channels import channels_outermost
from minigrad.passes.schedule.counted import counted
from minigrad.passes.schedule.explain import explain
from minigrad.passes.schedule.in_place import in_place
from minigrad.passes.schedule.inline import Inliner
from minigrad.passes.schedule.matmul import layout
from minigrad.passes.schedule.pairs import as_pairs
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
from minigrad.passes.schedule.places import compared, taken_early
from minigrad.passes.schedule.sorting import by_position
from minigrad.passes.schedule.tails import behind
from minigrad.passes.schedule.thin import summed
from minigrad.passes.schedule.woven import woven

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

_NONE: Mapping[Var, int] = MappingProxyType({})


def schedule(graph: Graph, carries: Mapping[Var, int] = _NONE) -> Schedule:
    """The kernels for a graph. `carries`: inputs that may be overwritten by the outputs of these numbers."""
    graph = compared(taken_early(counted(by_position(as_pairs(channels_outermost(graph))))))
    graph = layout(summed(woven(graph)))
    result = group.schedule(graph, Inliner(graph))
    behind(result)
    result.kernels = [_holding(kernel) for kernel in result.kernels]
    in_place(result, carries)
    return result


def _holding(kernel: Kernel) -> Kernel:
    """Control flow as kernels that hold others: until now it was foreign like all that holds graphs."""
    match kernel:
        case ForeignKernel(node=Node(op=Scan(length=0))):
            return ControlKernel(kernel.node, ())
        case ForeignKernel(node=Node(op=Scan(body=body, consts=k, carry=c))):
            return ControlKernel(kernel.node, (schedule(body, _numbered(body.inputs[k : k + c])),))
        case ForeignKernel(node=Node(op=While(cond=cond, body=body, consts=k))):
            return ControlKernel(kernel.node, (schedule(cond), schedule(body, _numbered(body.inputs[k:]))))
        case ForeignKernel(node=Node(op=Cond(branches=branches))):
            return ControlKernel(kernel.node, tuple(map(schedule, branches)))
    return kernel


def _numbered(carries: Sequence[Var]) -> dict[Var, int]:
    return {v: c for c, v in enumerate(carries)}
