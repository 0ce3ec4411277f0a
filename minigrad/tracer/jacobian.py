"""Whole Jacobians and Hessians: every direction at once, by mapping a jvp or a pull over a basis.

Floor 6. The entry for output leaf y and input leaf x has shape `y.shape + x.shape`; the result is a tree of the
output's structure whose leaves are trees of the input's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np

from minigrad.errors import NotDifferentiableError
from minigrad.interpreters import forward, reverse
from minigrad.interpreters.batch import batched
from minigrad.op import Array, Value
from minigrad.ops.movement import Permute, Reshape
from minigrad.ops.pieces import slice_axis
from minigrad.tracer.arguments import Flat, require_callable
from minigrad.tracer.autodiff import Argnums, Chosen, check_argnums, or_zeros
from minigrad.types import is_differentiable


def jacfwd(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The Jacobian of f, column by column in forward mode: good when f has few inputs.

    >>> import minigrad.numpy as jnp
    >>> jacfwd(lambda x: x * x)(jnp.asarray([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    require_callable("jacfwd", f)
    check_argnums("jacfwd", argnums)

    @wraps(f)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen("jacfwd", f, argnums, args, kwargs)
        chosen.require_differentiable(holomorphic, real=True)
        flat = Flat("jacfwd", f, chosen.call, has_aux)
        ys: list[Value] = []

        def columns(*dots: Value) -> Sequence[Any]:
            ys[:], y_dots = forward.jvp(flat, chosen.values, dots)
            return or_zeros(y_dots, ys)

        basis, size = unit_vectors(chosen.values)
        y_dots = batched(columns, basis, [True] * len(basis), size)
        rows = []
        for y, y_dot in zip(ys[: flat.count], y_dots):
            last = Permute((*range(1, y_dot.ndim), 0))(y_dot)  # [n, *y] -> [*y, n]
            rows.append(chosen.unflatten(_split(last, y.ndim, chosen.values, y.shape, after=True)))
        out = flat.structure.unflatten(rows)
        return (out, flat.aux(ys)) if has_aux else out

    return jacobian


def jacrev(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The Jacobian of f, row by row in reverse mode: good when f has few outputs.

    >>> import minigrad.numpy as jnp
    >>> jacrev(lambda x: x * x)(jnp.asarray([1.0, 2.0])).tolist()
    [[2.0, 0.0], [0.0, 4.0]]
    """
    require_callable("jacrev", f)
    check_argnums("jacrev", argnums)

    @wraps(f)
    def jacobian(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen("jacrev", f, argnums, args, kwargs)
        chosen.require_differentiable(holomorphic)
        flat = Flat("jacrev", f, chosen.call, has_aux)
        ys, pull = reverse.vjp(flat, chosen.values)
        outputs = ys[: flat.count]
        _require_float_outputs(flat, outputs, holomorphic)
        unused = [None] * (len(ys) - flat.count)
        basis, size = unit_vectors(outputs)
        x_bars = batched(
            lambda *y_bars: or_zeros(pull([*y_bars, *unused]), chosen.values), basis, [True] * len(basis), size
        )
        pieces = [_split(b, 0, outputs, x.shape, after=False) for b, x in zip(x_bars, chosen.values)]
        out = flat.structure.unflatten([chosen.unflatten(row) for row in zip(*pieces)])
        return (out, flat.aux(ys)) if has_aux else out

    return jacobian


def hessian(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The matrix of second derivatives of a scalar function: forward mode over reverse mode.

    >>> import minigrad.numpy as jnp
    >>> hessian(lambda x: (x * x * x).sum())(jnp.asarray([1.0, 2.0])).tolist()
    [[6.0, 0.0], [0.0, 12.0]]
    """
    return jacfwd(jacrev(f, argnums, has_aux, holomorphic), argnums, has_aux, holomorphic)


def unit_vectors(xs: Sequence[Value]) -> tuple[list[Array], int]:
    """For each x the stack of its parts of all unit vectors of the whole space: [n, *x.shape], and n."""
    sizes = [int(x.size) for x in xs]
    total, start, basis = sum(sizes), 0, []
    for x, n in zip(xs, sizes):
        part = np.eye(total, n, -start, dtype=x.dtype)  # ones where row = start + column
        basis.append(Array(part.reshape(total, *x.shape)))
        start += n
    return basis, total


def _split(whole: Any, axis: int, parts: Sequence[Value], shape: Any, *, after: bool) -> list[Any]:
    """Cut the axis that runs over the whole space into the parts' own axes, before or after `shape`."""
    pieces, start = [], 0
    for p in parts:
        n = int(p.size)
        piece = slice_axis(whole, axis, start, start + n)
        pieces.append(Reshape((*shape, *p.shape) if after else (*p.shape, *shape))(piece))
        start += n
    return pieces


def _require_float_outputs(flat: Flat, outputs: Sequence[Value], holomorphic: bool) -> None:
    for i, y in enumerate(outputs):
        if not is_differentiable(y.dtype):
            raise NotDifferentiableError(f"{flat.who}: {flat.name(i)} is {y.type}: only floats have gradients")
        if (y.dtype.kind == "c") != holomorphic:
            wanted = "complex, as holomorphic=True says" if holomorphic else "real"
            raise NotDifferentiableError(f"{flat.who}: {flat.name(i)} must be {wanted}, but is {y.type}")
