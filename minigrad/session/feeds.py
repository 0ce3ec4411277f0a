"""Feeds: what the user hands to a run, checked against what the graph was built for.

Floor 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

import numpy as np

from minigrad.errors import ArgumentError, FeedError, GraphError, UnknownNameError, ValueTypeError
from minigrad.op import Array, Handle, ndarray, short_repr
from minigrad.session.graph_scope import Graph
from minigrad.session.open_rank import OpenType
from minigrad.session.plan import Plan
from minigrad.session.shape import may_be_same
from minigrad.session.tensor import Placeholder, Tensor
from minigrad.types import Dim, Size, shape_text, substitute

# Unlike TensorFlow: the gradient is built with the op, and whether it sums over an axis depends on the sizes.
_ONE = (
    "unknown sizes that meet are taken to be equal; for one of 1 that broadcasts give the placeholder a 1 there "
    "(as [1, 3]) or no shape at all, or use tf.reshape"
)
_ORDER = "biufc"  # a value may move to the right without asking, and to the left when nothing is lost


def feed_tensor(graph: Graph, key: Any) -> Tensor:
    """The tensor that a key of feed_dict stands for."""
    tensor = key
    if isinstance(key, str):
        try:
            tensor = graph.get_tensor_by_name(key)
        except (ArgumentError, UnknownNameError) as error:
            raise ValueTypeError(f"feed_dict: {error.what}", hint=error.hint) from None
    elif isinstance(key, Handle) and hasattr(key, "snapshot"):
        tensor = key.snapshot
    if not isinstance(tensor, Tensor):
        raise ValueTypeError(
            f"feed_dict: the key {key!r} (a {type(key).__name__}) is not a tensor",
            hint="keys are placeholders, other tensors, or names like 'x:0'",
        )
    if tensor.op.graph is not graph:
        raise GraphError(f"feed_dict: {tensor.name} belongs to another graph than the session", lines=tensor.made())
    if tensor in graph.unfeedable:
        raise FeedError(f"{tensor.name} may not be fed (prevent_feeding)", lines=tensor.made())
    return tensor


def feed_array(tensor: Tensor, value: Any) -> ndarray:
    """The value as an array of the tensor's dtype, if nothing is lost on the way."""
    dtype = tensor.var.type.dtype
    if type(value) is np.ndarray and value.dtype is dtype:
        array: ndarray = value
    else:
        array = _converted(tensor, value)
    if isinstance(tensor.var.type, OpenType):
        return array
    sizes = tensor.var.type.shape
    if array.shape != sizes and not may_be_same(array.shape, sizes):
        raise FeedError(
            f"cannot feed a value of shape {shape_text(array.shape)} to {tensor.name}, "
            f"whose shape is {shape_text(tuple(n if isinstance(n, int) else None for n in sizes))}",
            lines=tensor.made(),
        )
    return array


def _converted(tensor: Tensor, value: Any) -> ndarray:
    dtype = tensor.var.type.dtype
    if isinstance(value, Array):
        value = value.array
    if isinstance(value, Handle):
        raise ValueTypeError(
            f"the value fed to {tensor.name} is {value!r}, a {value.front_end} value",
            hint="feed numbers: sess.run(it) gives them"
            if value.front_end == "session"
            else "feed its numbers: it.detach().numpy()",
            lines=tensor.made(),
        )
    try:
        given = np.asarray(value)
    except (ValueError, TypeError) as error:
        raise FeedError(f"the value fed to {tensor.name} is not an array: {error}", lines=tensor.made()) from None
    if given.dtype.kind not in _ORDER:
        _refuse(
            tensor,
            value,
            f"a value of type {type(value).__name__}" if given.ndim == 0 else f"an array of {given.dtype}",
        )
    down = _ORDER.index(given.dtype.kind) > _ORDER.index(dtype.kind)
    narrow = given.dtype.kind in "iu" and dtype.kind in "iu" and given.dtype != dtype
    with np.errstate(all="ignore"):
        array = given.astype(dtype)
    if (down or narrow) and not np.array_equal(array, given):
        _refuse(tensor, value, f"{given.dtype.name} values that {dtype.name} cannot hold")
    return array


def _refuse(tensor: Tensor, value: Any, what: str) -> NoReturn:
    raise FeedError(
        f"cannot feed {what} to {tensor.name}, whose dtype is {tensor.dtype.name}: {short_repr(value)}",
        hint=f"convert it first: value.astype({tensor.dtype.name!r})",
        lines=tensor.made(),
    )


def bind_sizes(plan: Plan, arrays: list[ndarray]) -> dict[str, int]:
    """The number behind each symbol, from the fed shapes; every size assumed equal while building is checked."""
    sizes: dict[str, int] = {}
    came: dict[str, tuple[Tensor, ndarray]] = {}
    compound: list[tuple[Tensor, ndarray]] = []
    for tensor, array in zip(plan.fed, arrays, strict=True):
        if isinstance(tensor.var.type, OpenType):
            continue
        for size, n in zip(tensor.var.type.shape, array.shape, strict=True):
            if not isinstance(size, Dim):
                continue
            name = str(size)
            if size != Dim.symbol(name):
                compound.append((tensor, array))
            elif sizes.setdefault(name, n) != n:
                _differ(f"{name} is {sizes[name]} in {_fed(*came[name])} and {n} in {_fed(tensor, array)}", tensor)
            else:
                came.setdefault(name, (tensor, array))
    _bind_defaults(plan, sizes)
    for tensor, array in compound:
        expected = substitute(tuple(tensor.var.type.shape), sizes)
        if not may_be_same(array.shape, expected):
            _differ(f"{_fed(tensor, array)}, which must be {shape_text(expected)}", tensor)
    _check_assumed(plan, sizes, came)
    missing = sorted(plan.open_sizes - set(sizes))
    if missing:
        tensor, axis = plan.operations[0].graph.symbols[missing[0]]
        raise FeedError(
            f"the size {missing[0]} (axis {axis} of {tensor.name}) is not known from what was fed",
            hint=f"feed {tensor.name} too",
            lines=tensor.made(),
        )
    return sizes


def _bind_defaults(plan: Plan, sizes: dict[str, int]) -> None:
    """A placeholder that stands at its default has the default's sizes."""
    for operation in plan.operations:
        if isinstance(operation.role, Placeholder) and operation.role.default is not None:
            for size, n in zip(operation.outputs[0].type.shape, operation.role.default.type.shape, strict=True):
                if isinstance(size, Dim) and operation.outputs[0] not in plan.fed:
                    known = substitute(n, sizes)
                    if isinstance(known, int):
                        sizes.setdefault(str(size), known)


def _check_assumed(plan: Plan, sizes: dict[str, int], came: dict[str, tuple[Tensor, ndarray]]) -> None:
    for assumption in plan.assumed:
        left, right = substitute(assumption.left, sizes), substitute(assumption.right, sizes)
        if left == right or isinstance(left, Dim) or isinstance(right, Dim):
            continue
        symbols = [
            s for size in (assumption.left, assumption.right) if isinstance(size, Dim) for s in sorted(size.symbols())
        ]
        fed = " and ".join(dict.fromkeys(_fed(*came[s]) for s in symbols if s in came))
        tensors = list(dict.fromkeys(came[s][0] for s in symbols if s in came))
        raise FeedError(
            f"{assumption.who}: the sizes {_is(assumption.left, left)} and {_is(assumption.right, right)} "
            f"must be equal: {fed}",
            hint=_ONE if 1 in (left, right) else None,
            lines=[("taken to be equal at", assumption.line), *(line for t in tensors for line in t.made())],
        )


def _is(size: Size, n: int) -> str:
    return f"{size} = {n}" if isinstance(size, Dim) else str(n)


def _fed(tensor: Tensor, array: ndarray) -> str:
    return f"{tensor.name} was fed {shape_text(array.shape)}"


def _differ(what: str, tensor: Tensor) -> NoReturn:
    raise FeedError(f"the fed sizes do not agree: {what}", lines=tensor.made())


def not_fed(plan: Plan, feeds: Mapping[Tensor, Any]) -> FeedError:
    """The error for a run that needs a placeholder nobody fed."""
    operation = plan.unfed[0]
    x = operation.outputs[0]
    fed = ", ".join(f"{t.name} {shape_text(np.shape(a))}" for t, a in feeds.items()) or "nothing"
    return FeedError(
        f"the placeholder {x.name}, {x.type}, is not fed, and {plan.needs(operation)} needs it; fed: {fed}",
        hint=f"give it a value: run(..., feed_dict={{{operation.name}: value}})",
        lines=x.made(),
    )
