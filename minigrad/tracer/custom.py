"""Functions whose derivative their author states (custom_jvp, custom_vjp), and checkpoint.

Floor 6. A call traces the function and its rule into graphs, which one op holds: `control.CustomJvp`, `CustomVjp`,
`Checkpoint`. So a rule runs under every interpreter, eagerly included. Under plain evaluation with nothing to
differentiate the function simply runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial, update_wrapper, wraps
from types import MethodType
from typing import Any

from minigrad import tree
from minigrad.control import Checkpoint, CustomJvp, CustomVjp
from minigrad.control.transform import pick
from minigrad.errors import ArgumentError, GradientError, ShapeError, TreeError
from minigrad.graph import Graph, LazyGraph
from minigrad.interpreters.build import trace
from minigrad.op import EVALUATE, Value, interpreter, lift, using
from minigrad.ops.kinds import zeros
from minigrad.source import function_line
from minigrad.tracer.arguments import (
    Flat,
    argument_values,
    describe,
    leaf_names,
    name_of,
    positional_names,
    require_callable,
)
from minigrad.tracer.staging import Statics, stage
from minigrad.types import TensorType, is_differentiable


class _Custom(ABC):
    """What both kinds share: the call, its flat arguments, and those that are not differentiated."""

    who = ""

    def __init__(self, f: Callable[..., Any], nondiff_argnums: int | Sequence[int] = ()) -> None:
        require_callable(self.who, f)
        update_wrapper(self, f)
        self.f = f
        self.nondiff = (nondiff_argnums,) if isinstance(nondiff_argnums, int) else tuple(nondiff_argnums)

    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        return self if instance is None else MethodType(self, instance)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if kwargs:
            args = _positional(self.who, self.f, args, kwargs)
        self.require_rule()
        fixed = [args[n] for n in self.nondiff]
        moving = tuple(x for i, x in enumerate(args) if i not in self.nondiff)
        leaves, structure = tree.flatten(moving)
        names = [n for i, n in enumerate(positional_names(self.f, len(args))) if i not in self.nondiff]
        values = argument_values(self.who, leaves, lambda: leaf_names(names, moving))
        if interpreter.get() is EVALUATE:
            return self.f(*args)
        return self.bind(fixed, structure, values)

    @abstractmethod
    def require_rule(self) -> None:
        """Raise if the rule has not been given yet."""

    @abstractmethod
    def bind(self, fixed: list[Any], structure: tree.TreeDef, values: list[Value]) -> Any:
        """Trace the function and its rule, and apply the op that holds them."""

    def primal(self, fixed: list[Any], structure: tree.TreeDef) -> Flat:
        return Flat(self.who, self.f, lambda vs: self.f(*self.whole(fixed, structure.unflatten(vs))))

    def graph_of(self, f: Callable[..., Any], types: Sequence[TensorType], ending: str = "") -> Graph:
        """Trace a part of this function; no part may close over values of an outer trace."""
        name = name_of(self.f)
        with using(EVALUATE):
            graph, captured = trace(f, types, name=name + ending)
        if captured:
            raise GradientError(
                f"{self.who}: {name} or its rule closes over a traced value, {captured[0].type}",
                hint="pass it as an argument",
                lines=[("the function is", function_line(self.f))],
            )
        return graph

    def whole(self, fixed: Sequence[Any], moving: Sequence[Any]) -> list[Any]:
        """All arguments in their order."""
        given = dict(zip(self.nondiff, fixed))
        rest = iter(moving)
        return [given[i] if i in given else next(rest) for i in range(len(given) + len(moving))]

    def wrong(self, what: str, rule: Any, error: type[Exception] = GradientError) -> Exception:
        lines = [("the rule is", function_line(rule)), ("it belongs to", function_line(self.f))]
        return error(f"{self.who}: {what}", lines=lines)  # type: ignore[call-arg]


def _positional(who: str, f: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
    """Keyword arguments put where the signature has them."""
    names = positional_names(f, len(args) + len(kwargs))[len(args) :]
    if set(names) != set(kwargs):
        raise ArgumentError(f"{who}: arguments are passed by position; cannot place {', '.join(sorted(kwargs))}")
    return (*args, *(kwargs[n] for n in names))


class custom_jvp(_Custom):
    """A function with its own forward derivative; reverse mode transposes it.

    The rule, set with `defjvp`, takes `(primals, tangents)` (after the nondiff arguments) and returns
    `(output, tangent of the output)`; it must be linear in the tangents.

    >>> @custom_jvp
    ... def f(x):
    ...     return x * x
    >>> @f.defjvp
    ... def f_jvp(primals, tangents):
    ...     return f(*primals), 10.0 * tangents[0]
    >>> from minigrad.tracer import grad
    >>> float(grad(f)(3.0))
    10.0
    """

    who = "custom_jvp"
    rule: Callable[..., Any] | None = None

    def defjvp(self, rule: Callable[..., Any]) -> Callable[..., Any]:
        """State the rule; usable as a decorator."""
        require_callable("defjvp", rule)
        self.rule = rule
        return rule

    def defjvps(self, *rules: Callable[..., Any] | None) -> None:
        """One rule per argument, `rule(tangent, output, *primals)`; None where the output does not depend on it."""

        def total(primals: tuple[Any, ...], tangents: tuple[Any, ...]) -> Any:
            y = self(*primals)
            terms = [rule(t, y, *primals) for rule, t in zip(rules, tangents) if rule is not None]
            return y, tree.map(lambda *ts: sum(ts[1:], ts[0]), *terms) if terms else zeros(y.type)

        self.rule = total

    def require_rule(self) -> None:
        if self.rule is None:
            raise GradientError(f"custom_jvp: {name_of(self.f)} has no rule yet", hint=f"@{name_of(self.f)}.defjvp")

    def bind(self, fixed: list[Any], structure: tree.TreeDef, values: list[Value]) -> Any:
        types = [x.type for x in values]
        floats = [is_differentiable(t.dtype) for t in types]
        flat = self.primal(fixed, structure)

        def rule(*args: Value) -> list[Any]:
            given = iter(args[len(types) :])
            dots = [next(given) if m else zeros(t) for m, t in zip(floats, types)]
            assert self.rule is not None
            primals = structure.unflatten(args[: len(types)])
            out = self.rule(*fixed, primals, structure.unflatten(dots))
            return self._checked(out, flat, floats)

        graph = self.graph_of(flat, types)
        held = LazyGraph(lambda: self.graph_of(rule, [*types, *pick(floats, types)], "_jvp"))
        return flat.out(CustomJvp(graph, held)(*values))

    def _checked(self, out: Any, flat: Flat, floats: Sequence[bool]) -> list[Any]:
        if not isinstance(out, tuple) or len(out) != 2:
            raise self.wrong(f"the rule must return (output, tangent), got {describe(out)}", self.rule)
        ys, structure = tree.flatten(out[0])
        y_dots, dot_structure = tree.flatten(out[1])
        if structure != flat.structure or dot_structure != structure:
            raise self.wrong(
                f"the function returns {flat.structure}, its rule {structure} with the tangent {dot_structure}",
                self.rule,
                TreeError,
            )
        ys, y_dots = [lift(y) for y in ys], [lift(d) for d in y_dots]
        for i, (y, d) in enumerate(zip(ys, y_dots)):
            if is_differentiable(y.dtype) and d.type != y.type:
                raise self.wrong(
                    f"the tangent of {flat.name(i)} is {d.type}, but it is {y.type}", self.rule, ShapeError
                )
        return [*ys, *[d for y, d in zip(ys, y_dots) if is_differentiable(y.dtype)]]


class custom_vjp(_Custom):
    """A function with its own backward derivative, for reverse mode only.

    `defvjp(fwd, bwd)`: fwd takes the arguments and returns `(output, saved)`; bwd takes (the nondiff arguments,)
    saved and the cotangent of the output and returns a tuple with a cotangent (or None: zero) per argument.

    >>> @custom_vjp
    ... def clip_gradient(x):
    ...     return x
    >>> clip_gradient.defvjp(lambda x: (x, None), lambda saved, y_bar: (0.5 * y_bar,))
    >>> from minigrad.tracer import grad
    >>> float(grad(lambda x: 3.0 * clip_gradient(x))(1.0))
    1.5
    """

    who = "custom_vjp"
    fwd: Callable[..., Any] | None = None
    bwd: Callable[..., Any] | None = None

    def defvjp(self, fwd: Callable[..., Any], bwd: Callable[..., Any]) -> None:
        """State the way there and the way back."""
        require_callable("defvjp", fwd)
        require_callable("defvjp", bwd)
        self.fwd, self.bwd = fwd, bwd

    def require_rule(self) -> None:
        if self.bwd is None:
            raise GradientError(
                f"custom_vjp: {name_of(self.f)} has no rule yet", hint=f"{name_of(self.f)}.defvjp(fwd, bwd)"
            )

    def bind(self, fixed: list[Any], structure: tree.TreeDef, values: list[Value]) -> Any:
        types = [x.type for x in values]
        flat = self.primal(fixed, structure)
        graph = self.graph_of(flat, types)
        y_types = graph.out_types
        floats = [is_differentiable(t.dtype) for t in y_types]
        saved_structure = tree.structure(None)

        def there(*xs: Value) -> list[Any]:
            nonlocal saved_structure
            assert self.fwd is not None
            out = self.fwd(*self.whole(fixed, structure.unflatten(xs)))
            if not isinstance(out, tuple) or len(out) != 2:
                raise self.wrong(f"fwd must return (output, saved), got {describe(out)}", self.fwd)
            ys, found = tree.flatten(out[0])
            saved, saved_structure = tree.flatten(out[1])
            if found != flat.structure:
                raise self.wrong(f"the function returns {flat.structure}, fwd {found}", self.fwd, TreeError)
            return [*ys, *saved]

        going = LazyGraph(lambda: self.graph_of(there, types, "_there"))

        def back(*args: Value) -> list[Any]:
            assert self.bwd is not None
            count = saved_structure.num_leaves
            given = iter(args[count:])
            y_bars = [next(given) if m else zeros(t) for m, t in zip(floats, y_types)]
            saved = saved_structure.unflatten(args[:count])
            x_bars = self.bwd(*fixed, saved, flat.structure.unflatten(y_bars))
            return self._cotangents(x_bars, structure, types)

        def coming() -> Graph:
            saved_types = going.graph.out_types[len(y_types) :]
            return self.graph_of(back, [*saved_types, *pick(floats, y_types)], "_back")

        return flat.out(CustomVjp(graph, going, LazyGraph(coming))(*values))

    def _cotangents(self, x_bars: Any, structure: tree.TreeDef, types: Sequence[TensorType]) -> list[Any]:
        """The cotangents of the float arguments, from what bwd returned."""
        count = len(structure.children)
        if not isinstance(x_bars, tuple) or len(x_bars) != count:
            raise self.wrong(f"bwd must return a tuple of {count} cotangents, got {describe(x_bars)}", self.bwd)
        found: list[Any] = []
        starts = iter(types)
        for n, (bar, child) in enumerate(zip(x_bars, structure.children)):
            own = [next(starts) for _ in range(child.num_leaves)]
            try:
                leaves = [None] * len(own) if bar is None else child.flatten_up_to(bar)
            except TreeError as error:
                raise self.wrong(f"cotangent {n} is not arranged as its argument: {error.what}", self.bwd) from None
            for leaf, t in zip(leaves, own):
                if not is_differentiable(t.dtype):
                    continue
                value = zeros(t) if leaf is None else lift(leaf)
                if value.type != t:
                    raise self.wrong(f"cotangent {n} is {value.type}, but its argument is {t}", self.bwd, ShapeError)
                found.append(value)
        return found


# ── checkpoint ───────────────────────────────────────────────────────────────────────────────────
def checkpoint(f: Callable[..., Any] | None = None, *, static_argnums: int | Sequence[int] = ()) -> Any:
    """f, whose intermediate values are not kept for the way back but computed again: memory for time.

    >>> from minigrad.tracer import grad
    >>> float(grad(checkpoint(lambda x: x * x * x))(2.0))
    12.0
    """
    if f is None:
        return partial(checkpoint, static_argnums=static_argnums)
    require_callable("checkpoint", f)
    statics = Statics("checkpoint", f, static_argnums, ())

    @wraps(f)
    def checkpointed(*args: Any, **kwargs: Any) -> Any:
        if interpreter.get() is EVALUATE:
            return f(*args, **kwargs)
        dynamic, named, key = statics.split(args, kwargs)
        staged = stage("checkpoint", f, statics, dynamic, named, key)
        values = argument_values("checkpoint", tree.leaves((dynamic, named)), list)
        return staged.outputs.unflatten(Checkpoint(staged.graph)(*staged.captured, *values))

    return checkpointed


remat = checkpoint
