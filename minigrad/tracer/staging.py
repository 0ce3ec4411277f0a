"""From a call to a graph: which arguments are static, what the others are called, and the trace.

Floor 6. `stage` is the one way from Python to a graph in this front-end: `jit`, `make_graph`, `eval_shape`,
`checkpoint` and `lower` all go through it.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from minigrad import tree
from minigrad.errors import ArgumentError
from minigrad.graph import Graph
from minigrad.interpreters.build import trace
from minigrad.op import Value
from minigrad.tracer.arguments import Flat, argument_names, argument_value, name_of, require_callable
from minigrad.types import TensorType, as_dtype


# ── static arguments ─────────────────────────────────────────────────────────────────────────────
class Statics:
    """Which arguments are static: Python values that the graph is made for, instead of inputs of the graph.

    Naming a parameter by number or by name comes to the same, however the caller passes it.
    """

    def __init__(
        self, who: str, f: Any, argnums: int | Sequence[int], argnames: str | Iterable[str], kind: str = "static"
    ) -> None:
        self.who, self.kind = who, kind
        numbers = {argnums} if isinstance(argnums, int) else set(argnums)
        names = {argnames} if isinstance(argnames, str) else set(argnames)
        if not all(type(n) is int for n in numbers) or not all(isinstance(n, str) for n in names):
            raise ArgumentError(f"{who}: {kind}_argnums are ints{' and static_argnames strings' * (kind == 'static')}")
        positional, takes_more, takes_names = _parameters(f)
        if positional is not None:
            self._check(positional, takes_more, takes_names, numbers, names)
            numbers = {n % len(positional) if n < 0 and positional else n for n in numbers}
            names |= {positional[n] for n in numbers if n < len(positional)}
            numbers |= {positional.index(n) for n in names if n in positional}
        self.numbers, self.names = frozenset(numbers), frozenset(names)

    def _check(
        self, positional: list[str], takes_more: bool, takes_names: set[str] | None, numbers: set[int], names: set[str]
    ) -> None:
        for n in numbers:
            if not -len(positional) <= n < len(positional) and not (takes_more and n >= 0):
                raise ArgumentError(
                    f"{self.who}: {self.kind}_argnums names argument {n}, but the function has {len(positional)} "
                    f"positional parameter{'s' * (len(positional) != 1)} ({', '.join(positional)})"
                )
        for name in names:
            if takes_names is not None and name not in takes_names and name not in positional:
                known = ", ".join([*positional, *sorted(takes_names)])
                raise ArgumentError(
                    f"{self.who}: static_argnames names {name!r}, which the function does not take ({known})"
                )

    def __bool__(self) -> bool:
        return bool(self.numbers or self.names)

    def split(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any], Hashable]:
        """The arguments with static ones replaced by None (an empty tree), and the key that the static ones make."""
        if not self:
            return args, kwargs, ()
        fixed: list[tuple[Any, Any, Any]] = []
        fixed += [(i, _exact(x), self._hashable(i, x)) for i, x in enumerate(args) if i in self.numbers]
        fixed += [(k, _exact(x), self._hashable(k, x)) for k, x in kwargs.items() if k in self.names]
        args = tuple([None if i in self.numbers else x for i, x in enumerate(args)])
        return args, {k: x for k, x in kwargs.items() if k not in self.names}, tuple(sorted(fixed, key=_by_place))

    def _hashable(self, place: int | str, x: Any) -> Any:
        if isinstance(x, Value):
            raise ArgumentError(
                f"{self.who}: static argument {place} is a tensor, {x.type}", hint="static arguments are Python values"
            )
        try:
            hash(x)
        except TypeError:
            raise ArgumentError(
                f"{self.who}: static argument {place} cannot be hashed: {x!r} (a {type(x).__name__})",
                hint="static values are keys of the cache: pass a tuple instead of a list, or do not make it static",
            ) from None
        return x

    def fill(self, args: tuple[Any, ...], kwargs: dict[str, Any], key: Any) -> tuple[list[Any], dict[str, Any]]:
        """The inverse of `split`."""
        full, named = list(args), dict(kwargs)
        for place, _, x in key:
            if isinstance(place, int):
                full[place] = x
            else:
                named[place] = x
        return full, named


def _exact(x: Any) -> Any:
    """What tells values apart that are equal: 1, True and 1.0, also in tuples; 0.0 and -0.0."""
    if type(x) is tuple:
        return (tuple, *map(_exact, x))
    return (float, repr(x)) if type(x) is float else type(x)


def _by_place(entry: tuple[Any, Any, Any]) -> tuple[bool, Any]:
    return isinstance(entry[0], str), entry[0]


def _parameters(f: Any) -> tuple[list[str] | None, bool, set[str] | None]:
    """Names of positional parameters (None: unknown), is there *args, names of keyword-only ones (None: **kwargs)."""
    try:
        parameters = inspect.signature(f).parameters.values()
    except (TypeError, ValueError):
        return None, True, None
    kinds = {p.kind for p in parameters}
    positional = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    keyword = {p.name for p in parameters if p.kind is p.KEYWORD_ONLY}
    open_ended = inspect.Parameter.VAR_KEYWORD in kinds
    return positional, inspect.Parameter.VAR_POSITIONAL in kinds, None if open_ended else keyword


# ── types in place of values ─────────────────────────────────────────────────────────────────────
def ShapeDtypeStruct(shape: Any, dtype: Any) -> TensorType:
    """The type of a tensor, to trace with instead of a tensor: `ShapeDtypeStruct((2, 3), "float32")`."""
    return TensorType(tuple(shape), as_dtype(dtype))


def type_of_leaf(who: str, x: Any, name: Callable[[], str], hint: str | None = None) -> TensorType:
    return x if isinstance(x, TensorType) else argument_value(who, x, name, hint).type


# ── the trace ────────────────────────────────────────────────────────────────────────────────────
NOT_A_TENSOR = (
    "mark it static (static_argnums, static_argnames) if it is a Python value the program is made for, "
    "or register its class as a container with tree.register"
)


@dataclass(frozen=True, slots=True)
class Staged:
    """A traced call: the graph, the outer values it captured (its leading inputs), and the structures around it."""

    graph: Graph
    captured: list[Value]
    inputs: tree.TreeDef
    outputs: tree.TreeDef
    statics: Any  # the key of the static arguments


def stage(
    who: str,
    f: Any,
    statics: Statics,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    static_key: Any,
    types: Any = None,
) -> Staged:
    """Trace f for the types of args and kwargs (already split from the static ones)."""
    require_callable(who, f)
    leaves, structure = tree.flatten((args, kwargs))
    names = argument_names(f, args, kwargs)
    if types is None:
        types = [type_of_leaf(who, x, lambda i=i: names[i], NOT_A_TENSOR) for i, x in enumerate(leaves)]  # type: ignore[misc]

    def call(values: Sequence[Value]) -> Any:
        dynamic, named = structure.unflatten(values)
        full, named = statics.fill(dynamic, named, static_key)
        return f(*full, **named)

    flat = Flat(who, f, call)
    graph, captured = trace(flat, types, labels=names, name=name_of(f))
    return Staged(graph, captured, structure, flat.structure, static_key)


def make_graph(f: Callable[..., Any], static_argnums: int | Sequence[int] = ()) -> Callable[..., Graph]:
    """The function that traces f, for arguments or their types (`ShapeDtypeStruct`), and gives the graph.

    >>> g = make_graph(lambda x: x * x)(3.0)
    >>> len(g.nodes)
    1
    """
    require_callable("make_graph", f)
    statics = Statics("make_graph", f, static_argnums, ())

    def graph_of(*args: Any, **kwargs: Any) -> Graph:
        return stage("make_graph", f, statics, *statics.split(args, kwargs)).graph

    return graph_of


def eval_shape(f: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """The types of f's outputs, in their containers, without computing anything.

    >>> str(eval_shape(lambda x: x * x, ShapeDtypeStruct((2, 3), "float32")))
    'f32[2,3]'
    """
    staged = stage("eval_shape", f, Statics("eval_shape", f, (), ()), args, kwargs, ())
    return staged.outputs.unflatten(staged.graph.out_types)
