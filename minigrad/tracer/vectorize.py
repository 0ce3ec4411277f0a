"""vmap: a function of one example becomes a function of many, by giving every op a mapped axis.

Floor 6. `interpreters.batch` does the work, always along axis 0; here axes are chosen, moved and checked.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError, ShapeError, TreeError
from minigrad.interpreters.batch import lanes
from minigrad.op import Value
from minigrad.ops.movement import Expand, Permute
from minigrad.tracer.arguments import Flat, argument_names, argument_values, positional_names, require_callable
from minigrad.types import same_size


def vmap(
    f: Callable[..., Any],
    in_axes: Any = 0,
    out_axes: Any = 0,
    axis_name: str | None = None,
    axis_size: int | None = None,
) -> Callable[..., Any]:
    """f for every slice of its arguments at once.

    in_axes: the axis of each positional argument to map over, None for "the same for all"; an int or None for all
    arguments, or one entry per argument, each a tree that may stop where a whole subtree is meant. Keyword
    arguments are mapped over axis 0. out_axes likewise says where the mapped axis goes in the outputs (None: the
    output must be the same for all). axis_size is needed only when nothing is mapped.

    Raises ShapeError when the mapped axes differ in size, ArgumentError for axes that do not fit.

    >>> import minigrad.numpy as jnp
    >>> vmap(lambda x, k: x * k, in_axes=(0, None))(jnp.asarray([1.0, 2.0]), 10.0).tolist()
    [10.0, 20.0]
    """
    require_callable("vmap", f)
    if isinstance(in_axes, list):
        in_axes = tuple(in_axes)
    _check_axes("in_axes", in_axes)
    _check_axes("out_axes", out_axes)

    @wraps(f)
    def mapped(*args: Any, **kwargs: Any) -> Any:
        inputs = _Inputs(f, in_axes, args, kwargs)
        size = inputs.size(axis_size)
        flat = Flat("vmap", f, inputs.call)
        xs = [x if axis is None else _to_front(x, axis) for x, axis in zip(inputs.values, inputs.axes)]
        ys = lanes(flat, xs, [axis is not None for axis in inputs.axes], size, axis_name)
        axes = _prefix("vmap: out_axes", out_axes, flat.out([y for y, _ in ys]))
        return flat.out([_placed(flat, i, y, m, axes[i], size) for i, (y, m) in enumerate(ys)])

    return mapped


class _Inputs:
    """The leaves of a call, each with its axis (counted from 0, or None)."""

    def __init__(self, f: Any, in_axes: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.f, self.args, self.kwargs = f, args, kwargs
        leaves, self.structure = tree.flatten((args, kwargs))
        self.values = argument_values("vmap", leaves, self.names)
        if isinstance(in_axes, tuple) and len(in_axes) != len(args):
            raise ArgumentError(
                f"vmap: in_axes has {len(in_axes)} entries, but the call has {len(args)} positional "
                f"argument{'s' * (len(args) != 1)} ({', '.join(positional_names(f, len(args)))})"
            )
        axes = _prefix("vmap: in_axes", in_axes, args) + [0] * len(tree.leaves(kwargs))
        self.axes = [self._normal(i, axis) for i, axis in enumerate(axes)]

    def names(self) -> list[str]:
        return argument_names(self.f, self.args, self.kwargs)

    def _normal(self, i: int, axis: int | None) -> int | None:
        if axis is None:
            return None
        t = self.values[i].type
        if not -t.ndim <= axis < t.ndim:
            raise ArgumentError(
                f"vmap: axis {axis} of argument {self.names()[i]} is to be mapped, but it is {t} (rank {t.ndim})",
                hint="an argument that is the same for all lanes has None in in_axes",
            )
        return axis % t.ndim

    def size(self, given: int | None) -> Any:
        """The number of lanes; all mapped axes must agree."""
        found = [(i, axis, self.values[i].shape[axis]) for i, axis in enumerate(self.axes) if axis is not None]
        if not found and given is None:
            raise ArgumentError(
                "vmap: nothing is mapped: in_axes is None for every argument",
                hint="map at least one axis, or say how many lanes with axis_size",
            )
        size = found[0][2] if given is None else given
        for i, axis, n in found:
            if not same_size(size, n):
                here = self._axis_text(i, axis, n)
                first = f"axis_size is {given}" if given is not None else self._axis_text(*found[0])
                raise ShapeError(
                    f"vmap: the mapped axes differ in size: {first}, {here}",
                    hint="what is the same for all lanes has None in in_axes",
                )
        return size

    def _axis_text(self, i: int, axis: int, n: Any) -> str:
        return f"axis {axis} of argument {self.names()[i]} ({self.values[i].type}) has {n}"

    def call(self, values: Sequence[Value]) -> Any:
        args, kwargs = self.structure.unflatten(values)
        return self.f(*args, **kwargs)


def _check_axes(who: str, axes: Any) -> None:
    for leaf in tree.leaves(axes):
        if type(leaf) is not int:
            raise ArgumentError(f"vmap: {who} holds axes (int or None), got {leaf!r}")


def _prefix(who: str, axes: Any, whole: Any) -> list[Any]:
    """The axis for every leaf of `whole`, where `axes` is a tree that may stop early."""
    given, structure = tree.flatten(axes, is_leaf=lambda x: x is None)
    try:
        subtrees = structure.flatten_up_to(whole)
    except TreeError as error:
        raise ArgumentError(f"{who} {axes!r} is not arranged as the values it is for: {error.what}") from None
    return [axis for axis, subtree in zip(given, subtrees) for _ in tree.leaves(subtree)]


def _to_front(x: Value, axis: int) -> Any:
    return x if axis == 0 else Permute((axis, *(i for i in range(x.ndim) if i != axis)))(x)


def _placed(flat: Flat, i: int, y: Any, mapped: bool, axis: int | None, size: int) -> Any:
    """An output with its lanes (at axis 0 if it has any) where out_axes wants them."""
    if axis is None:
        if mapped:
            raise ArgumentError(
                f"vmap: out_axes is None for {flat.name(i)}, {y.type.with_shape(y.shape[1:])} in each lane, "
                "but it differs between lanes",
                hint="give it an axis, or reduce it over the lanes",
            )
        return y
    if not mapped:
        y = Expand((size, *y.shape))(y)
    if not -y.ndim <= axis < y.ndim:
        raise ArgumentError(
            f"vmap: out_axes has {axis} for {flat.name(i)}, which is {y.type} (rank {y.ndim}) with its lanes"
        )
    axis %= y.ndim
    return y if axis == 0 else Permute((*range(1, axis + 1), 0, *range(axis + 1, y.ndim)))(y)
