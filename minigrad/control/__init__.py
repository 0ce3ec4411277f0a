"""Ops that hold graphs: call, checkpoint, cond, scan, while, custom rules.

Floor 3. They are vocabulary, but their rules *use* the interpreters (the derivative of a scan is a scan of the
derivative of its body), so they stand beside them. Read `transform` first: it turns a graph into the graph of its
tangents, of its lanes, of its way there and its way back; every rule here is a sentence over those.
"""

from minigrad.control.branch import Cond, branch
from minigrad.control.call import Call, Checkpoint, call
from minigrad.control.custom import CustomJvp, CustomVjp
from minigrad.control.loop import Scan, scan
from minigrad.control.repeat import While, repeat

__all__ = [
    "Call", "Checkpoint", "Cond", "CustomJvp", "CustomVjp", "Scan", "While", "branch", "call", "repeat", "scan",
]  # fmt: skip
