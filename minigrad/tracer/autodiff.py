"""Derivatives of functions: jvp, vjp, linearize, grad, value_and_grad.

Floor 6. Thin: the flat functions of `interpreters.forward` and `interpreters.reverse` do the work. Here are the
trees, `argnums`, and everything that can be said of a wrong call. Gradients have the type of their input; an input
that the result does not depend on gets zeros.

Conventions for complex numbers are those of JAX: the cotangent of z is paired with it without conjugation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError, GradientError, NotDifferentiableError
from minigrad.interpreters import forward, reverse
from minigrad.op import Value
from minigrad.ops.kinds import zeros
from minigrad.ops.movement import one
from minigrad.source import function_line
from minigrad.tracer.arguments import (
    Flat,
    argument_values,
    describe,
    leaf_names,
    matching,
    positional_names,
    require_callable,
)
from minigrad.types import TensorType, is_differentiable

Argnums = int | Sequence[int]


# ── forward and backward as functions ────────────────────────────────────────────────────────────
class Primals:
    """The positional arguments of a call, flat."""

    def __init__(self, who: str, f: Any, args: Sequence[Any]) -> None:
        require_callable(who, f)
        if not isinstance(args, (tuple, list)):
            raise ArgumentError(
                f"{who}: the primals must be a tuple of arguments, got {describe(args)}", hint="write (x,) for one"
            )
        self.who, self.f, self.args = who, f, tuple(args)
        leaves, self.structure = tree.flatten(self.args)
        self.values = argument_values(who, leaves, self.names)

    def names(self) -> list[str]:
        return leaf_names(positional_names(self.f, len(self.args)), self.args)

    def flat(self, has_aux: bool) -> Flat:
        return Flat(self.who, self.f, lambda values: self.f(*self.structure.unflatten(values)), has_aux)

    @property
    def types(self) -> list[TensorType]:
        return [x.type for x in self.values]


def jvp(f: Callable[..., Any], primals: Sequence[Any], tangents: Sequence[Any], has_aux: bool = False) -> Any:
    """`(f(*primals), ∂f(*primals)·tangents)`, and aux where has_aux says that f returns `(value, aux)`.

    Tangents are arranged and typed as the primals; None, or leaving a subtree out with None, is zero.

    >>> import minigrad.numpy as jnp
    >>> y, y_dot = jvp(lambda x: x * x, (3.0,), (1.0,))
    >>> float(y), float(y_dot)
    (9.0, 6.0)
    """
    given = Primals("jvp", f, primals)
    if not isinstance(tangents, (tuple, list)) or len(tangents) != len(given.args):
        count = len(tangents) if isinstance(tangents, (tuple, list)) else describe(tangents)
        raise GradientError(f"jvp: {len(given.args)} primals need a tuple of as many tangents, got {count}")
    dots = matching("jvp", "tangent", tuple(tangents), given.structure, given.types, given.names)
    flat = given.flat(has_aux)
    ys, y_dots = forward.jvp(flat, given.values, dots)
    out = flat.out(ys), flat.out(or_zeros(y_dots, ys))
    return (*out, flat.aux(ys)) if has_aux else out


def vjp(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`(f(*primals), pull)`, and aux where has_aux: `pull(y_bar)` is the tuple of cotangents of the primals.

    `pull` may be called any number of times. `y_bar` is arranged and typed as the output; None is zero.

    >>> y, pull = vjp(lambda a, b: a * b, 3.0, 4.0)
    >>> [float(x_bar) for x_bar in pull(1.0)]
    [4.0, 3.0]
    """
    given = Primals("vjp", f, primals)
    flat = given.flat(has_aux)
    ys, flat_pull = reverse.vjp(flat, given.values)
    types = [y.type for y in ys[: flat.count]]
    unused = [None] * (len(ys) - flat.count)

    def pull(y_bar: Any) -> Any:
        y_bars = matching("vjp", "cotangent", y_bar, flat.structure, types, flat.names)
        return given.structure.unflatten(or_zeros(flat_pull(y_bars + unused), given.values))

    return (flat.out(ys), pull, flat.aux(ys)) if has_aux else (flat.out(ys), pull)


def linearize(f: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """`(f(*primals), push)`, and aux where has_aux: `push(*tangents)` is ∂f(*primals)·tangents; f is not run again.

    >>> y, push = linearize(lambda x: x * x * x, 2.0)
    >>> float(push(1.0)), float(push(10.0))
    (12.0, 120.0)
    """
    given = Primals("linearize", f, primals)
    flat = given.flat(has_aux)
    ys, flat_push = reverse.linearize(flat, given.values)

    def push(*tangents: Any) -> Any:
        if len(tangents) != len(given.args):
            raise GradientError(f"linearize: {len(given.args)} primals need as many tangents, got {len(tangents)}")
        dots = matching("linearize", "tangent", tangents, given.structure, given.types, given.names)
        return flat.out(or_zeros(flat_push(dots), ys))

    return (flat.out(ys), push, flat.aux(ys)) if has_aux else (flat.out(ys), push)


def or_zeros(bars: Sequence[Any], values: Sequence[Value]) -> list[Any]:
    """(Co)tangents with None, "nothing depends on it", spelt out."""
    return [zeros(x.type) if b is None else b for b, x in zip(bars, values)]


# ── grad ─────────────────────────────────────────────────────────────────────────────────────────
def grad(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """The function that gives the gradient of the scalar function f with respect to argument(s) `argnums`.

    The gradient is arranged and typed as the argument; for a tuple of argnums it is a tuple. With has_aux, f
    returns `(scalar, aux)` and the result is `(gradient, aux)`. The scalar is real, or complex if f is `holomorphic`.

    Raises GradientError for an output that is not a scalar, NotDifferentiableError for integer inputs.

    >>> float(grad(lambda x: x * x)(3.0))
    6.0
    """
    both = _differentiated("grad", f, argnums, has_aux, holomorphic)

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        _, x_bar, aux = both(args, kwargs)
        return (x_bar, aux) if has_aux else x_bar

    return gradient


def value_and_grad(
    f: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False, holomorphic: bool = False
) -> Callable[..., Any]:
    """As `grad`, but the function gives `(value, gradient)`, with has_aux `((value, aux), gradient)`.

    >>> y, x_bar = value_and_grad(lambda x: x * x)(3.0)
    >>> float(y), float(x_bar)
    (9.0, 6.0)
    """
    both = _differentiated("value_and_grad", f, argnums, has_aux, holomorphic)

    @wraps(f)
    def value_and_gradient(*args: Any, **kwargs: Any) -> Any:
        y, x_bar, aux = both(args, kwargs)
        return ((y, aux), x_bar) if has_aux else (y, x_bar)

    return value_and_gradient


def _differentiated(who: str, f: Any, argnums: Argnums, has_aux: bool, holomorphic: bool) -> Callable[..., Any]:
    """(args, kwargs) -> (value, gradient, aux or None)."""
    require_callable(who, f)
    check_argnums(who, argnums)

    def both(args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
        chosen = Chosen(who, f, argnums, args, kwargs)
        chosen.require_differentiable(holomorphic)
        flat = Flat(who, f, chosen.call, has_aux)
        ys, pull = reverse.vjp(flat, chosen.values)
        y = flat.out(ys)
        _require_scalar(flat, y, ys, holomorphic)
        x_bars = pull([one(ys[0].dtype), *[None] * (len(ys) - 1)])
        return y, chosen.unflatten(or_zeros(x_bars, chosen.values)), flat.aux(ys) if has_aux else None

    return both


class Chosen:
    """The arguments that `argnums` names, flat; the others stay as they are."""

    def __init__(self, who: str, f: Any, argnums: Argnums, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.who, self.f, self.args, self.kwargs = who, f, args, kwargs
        self.single = isinstance(argnums, int)
        self.numbers = [_in_range(who, n, args) for n in ((argnums,) if isinstance(argnums, int) else argnums)]
        self.trees = tuple(args[n] for n in self.numbers)
        leaves, self.structure = tree.flatten(self.trees)
        self.values = argument_values(who, leaves, self.names)

    def names(self) -> list[str]:
        roots = positional_names(self.f, len(self.args))
        return leaf_names([roots[n] for n in self.numbers], self.trees)

    def call(self, values: Sequence[Value]) -> Any:
        args = list(self.args)
        for n, x in zip(self.numbers, self.structure.unflatten(values)):
            args[n] = x
        return self.f(*args, **self.kwargs)

    def unflatten(self, leaves: Sequence[Any]) -> Any:
        found = self.structure.unflatten(leaves)
        return found[0] if self.single else found

    def require_differentiable(self, holomorphic: bool, real: bool = False) -> None:
        """Inputs must be floats; complex if `holomorphic`, and not complex if `real` and not holomorphic."""
        for i, x in enumerate(self.values):
            if not is_differentiable(x.dtype):
                raise NotDifferentiableError(
                    f"{self.who}: {self._argument(i)} is {_long(x.type)}: only floats have gradients",
                    hint="pass floats (1.0 instead of 1), or leave this argument out of argnums",
                )
            is_complex = x.dtype.kind == "c"
            if holomorphic and not is_complex:
                raise NotDifferentiableError(
                    f"{self.who}: holomorphic=True needs complex inputs, but {self._argument(i)} is {_long(x.type)}"
                )
            if real and is_complex and not holomorphic:
                raise NotDifferentiableError(
                    f"{self.who}: {self._argument(i)} is {_long(x.type)}, which has two real directions",
                    hint="if the function is holomorphic, say holomorphic=True; else use jvp or vjp",
                )

    def _argument(self, i: int) -> str:
        """`argument 0`, or for a leaf inside a container `argument 0, params['n'],`."""
        name, numbered = self.names()[i], []
        for n, t in zip(self.numbers, self.trees):
            numbered += [n] * tree.structure(t).num_leaves
        inside = name not in positional_names(self.f, len(self.args))
        return f"argument {numbered[i]}" + (f", {name}," if inside else "")


def check_argnums(who: str, argnums: Any) -> None:
    """argnums must be an int or a sequence of different ints."""
    numbers = (argnums,) if isinstance(argnums, int) else argnums
    if not isinstance(numbers, (tuple, list)) or not all(type(n) is int for n in numbers):
        raise ArgumentError(f"{who}: argnums must be an int or a tuple of ints, got {argnums!r}")
    if len(set(numbers)) != len(numbers):
        raise ArgumentError(f"{who}: argnums {tuple(numbers)} names an argument twice")


def _in_range(who: str, n: int, args: tuple[Any, ...]) -> int:
    if not -len(args) <= n < len(args):
        raise ArgumentError(
            f"{who}: argnums names argument {n}, but the call has {len(args)} positional "
            f"argument{'s' * (len(args) != 1)}",
            hint="arguments are counted from 0; pass those to differentiate by position, not by keyword",
        )
    return n % len(args)


def _long(t: TensorType) -> str:
    return f"{t.dtype.name}[{','.join(map(str, t.shape))}]"


def _require_scalar(flat: Flat, y: Any, ys: Sequence[Value], holomorphic: bool) -> None:
    """One output, of rank 0, real (complex when holomorphic)."""
    where = [("the function is", function_line(flat.f))]
    if flat.count != 1 or flat.structure != tree.structure(0):
        raise GradientError(
            f"{flat.who}: the function must return a scalar, got {describe(y)}",
            hint="to return more beside the scalar: has_aux=True and return (scalar, more)",
            lines=where,
        )
    t = ys[0].type
    if t.shape:
        raise GradientError(
            f"{flat.who}: the function must return a scalar, got {t}",
            hint="reduce it with sum() or mean(), or use vjp (chosen cotangent) or jacrev (every entry)",
            lines=where,
        )
    if not is_differentiable(t.dtype):
        raise NotDifferentiableError(
            f"{flat.who}: the function returned {_long(t)}: only floats have gradients", lines=where
        )
    if (t.dtype.kind == "c") != holomorphic:
        wanted = "a complex scalar, as holomorphic=True says" if holomorphic else "a real scalar"
        raise GradientError(
            f"{flat.who}: the function must return {wanted}, got {t}",
            hint=None if holomorphic else "if it is holomorphic, say holomorphic=True; else use vjp, or its real part",
            lines=where,
        )
