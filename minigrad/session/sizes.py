"""Sizes as data: what is known, while the graph is built, of tensors computed from `tf.shape(x)`.

Floor 6. `tf.reshape(x, [tf.shape(x)[0] * 2, -1])` needs sizes as parameters where TensorFlow passes tensors. So the
values of such small integer tensors are computed along while the graph grows, as arrays of symbols (`types.Dim`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from minigrad.errors import MinigradError
from minigrad.graph import Const, Node, Var
from minigrad.op import ndarray
from minigrad.ops.elementwise import add, floor_div, mul, sub
from minigrad.ops.movement import Reshape
from minigrad.ops.pieces import Concatenate, Slice
from minigrad.ops.rows import Convert

_ARITHMETIC = {add: np.add, sub: np.subtract, mul: np.multiply, floor_div: np.floor_divide}
_FEW = 32  # as many axes as an array may have
_MOVEMENT = (Reshape, Slice, Concatenate)


def partly_known(node: Node, sizes_of: Mapping[Var, ndarray]) -> ndarray | None:
    """The values of the node's result as sizes, if its operands are known so and the op is simple arithmetic."""
    type = node.out.type if node.outs else None
    if type is None or type.dtype.kind not in "iu" or not isinstance(type.size, int) or type.size > _FEW:
        return None
    op: Any = node.op
    function: Any = _ARITHMETIC.get(op) or (op.impl if isinstance(op, _MOVEMENT) else None)
    if isinstance(op, Convert) and op.dtype.kind in "iu":
        return sizes_of.get(node.ins[0])  # type: ignore[arg-type]
    values: list[Any] = [a.array.astype(object) if isinstance(a, Const) else sizes_of.get(a) for a in node.ins]
    if function is None or any(v is None for v in values):
        return None
    try:
        return np.asarray(function(*values), object)
    except MinigradError:  # a comparison of symbols nobody can decide
        return None
