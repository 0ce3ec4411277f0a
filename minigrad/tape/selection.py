"""The functions of tensors that pick elements: indexing, max and min with positions, sorting, gather.

Floor 6. Positions are int64 tensors; those out of range are refused, as their numbers are known.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError
from minigrad.numpy.named import called
from minigrad.op import Array
from minigrad.ops import sort as ops_sort
from minigrad.ops.elementwise import Convert, max_, min_
from minigrad.ops.indexing import index, index_update
from minigrad.ops.movement import expand_to
from minigrad.ops.reduce import ArgMax, ArgMin
from minigrad.tape.functions import on_tape
from minigrad.tape.grad_mode import GRAD
from minigrad.tape.inplace import assign, check_not_leaf, check_own_places
from minigrad.tape.memory import MEMORY, owner, tick
from minigrad.tape.shapes import unsqueeze
from minigrad.tape.tensor import Tensor
from minigrad.types import normal_axis


class Extremum(NamedTuple):
    """What `max(x, dim)` gives."""

    values: Any
    indices: Any


def plain_key(key: Any) -> Any:
    """An index with its tensors as arrays: positions carry no gradient."""
    if isinstance(key, tuple):
        return tuple(map(plain_key, key))
    return Array(key._array) if isinstance(key, Tensor) else key


@on_tape
def get(input: Any, key: Any) -> Any:
    """x[key]: a view for integers, slices, None and ...; a copy for tensors of positions and masks."""
    return index(input, plain_key(key))


def put(input: Tensor, key: Any, value: Any) -> None:
    """x[key] = value, in place."""
    recorded = GRAD.get() and (input.requires_grad or getattr(value, "requires_grad", False))
    if recorded:
        check_not_leaf(input, "x[i] = v")
        _put_recorded(input, key, value)
        return
    check_own_places(input, "x[i] = v")
    key = plain_key(key)
    numbers = value._array if isinstance(value, Tensor) else value
    try:
        input._array[_numpy_key(key)] = numbers
    except (IndexError, ValueError, TypeError):
        index_update(Array(input._array), key, numbers)  # fails again, and says why
        raise
    MEMORY.touch(input._array)


def _numpy_key(key: Any) -> Any:
    if isinstance(key, tuple):
        return tuple(map(_numpy_key, key))
    return key.array if isinstance(key, Array) else key


@on_tape
def _put_recorded(input: Tensor, key: Any, value: Any) -> None:
    since = tick()
    shown = index(input, plain_key(key))
    if owner(shown._array) is owner(input._array):
        value = value if isinstance(value, Tensor) else Tensor(np.asarray(value, input.dtype))
        assign(shown, Convert(input.dtype)(expand_to(value, shown.shape)), "x[i] = v", since)
    else:
        assign(input, index_update(input, plain_key(key), value), "x[i] = v", since)


def _extremum(name: str, both: Any, arg: Any, whole: Any) -> Any:
    def function(input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None) -> Any:
        if isinstance(dim, Tensor) or other is not None:
            return both(input, dim if other is None else other)
        if dim is None:
            return whole(input)
        axis = normal_axis(name, dim, input.type)
        positions = unsqueeze(arg(axis)(input), axis)
        values = mnp.take_along_axis(input, Array(positions._array), axis)
        if not keepdim:
            values, positions = mnp.squeeze(values, axis), mnp.squeeze(positions, axis)
        return Extremum(values, positions)

    doc = f"The {name} of all elements; along a dim, (values, indices); of two tensors, elementwise."
    return on_tape(called(function, name, doc))


max, min = _extremum("max", max_, ArgMax, mnp.max), _extremum("min", min_, ArgMin, mnp.min)


@on_tape
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """(values, indices) in order along a dim. Always stable."""
    positions = ops_sort.argsort(input, axis=dim, descending=descending)
    return Extremum(mnp.take_along_axis(input, Array(positions._array), dim), positions)


@on_tape
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> Any:
    """(values, indices) of the k largest (or smallest) along a dim, in order; ArgumentError if there are fewer."""
    axis = normal_axis("topk", dim, input.type)
    if not 0 <= k <= input.shape[axis]:
        raise ArgumentError(f"topk: k must be from 0 to {input.shape[axis]}, the size of dim {dim}, got {k}")
    if largest:
        return Extremum(*[mnp.moveaxis(y, -1, axis) for y in mnp.top_k(mnp.moveaxis(input, axis, -1), k)])
    ordered = sort(input, axis)
    first = (*(slice(None),) * axis, slice(0, k))
    return Extremum(ordered.values[first], ordered.indices[first])


@on_tape
def gather(input: Any, dim: int, index: Any) -> Any:
    """For each position of `index` the element of input there along dim, the other coordinates being its own."""
    d = normal_axis("gather", dim, input.type)
    cut = tuple(slice(None) if a == d else slice(0, n) for a, n in enumerate(index.shape))
    return mnp.take_along_axis(input[cut], Array(index._array), d)


@on_tape
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The slices at positions along a dim."""
    return mnp.take(input, Array(index._array), axis=dim)


def nonzero(input: Tensor) -> Tensor:
    """The positions of the elements that are not 0: int64 [n, rank]."""
    return Tensor(np.argwhere(input._array))


SELECTION = {f.__name__: f for f in (max, min, sort, topk, gather, index_select, nonzero)}
