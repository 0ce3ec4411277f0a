"""Between the user's containers and the flat lists of values that interpreters work on.

Floor 6. Every transformation takes trees in and gives trees out; the meanings underneath know only flat functions.
`Flat` is the one bridge, and the names of arguments (`params['w']`) that messages show are made here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import tree
from minigrad.errors import DtypeError, GradientError, MixedFrontEndsError, TreeError, ValueTypeError
from minigrad.op import Array, Handle, Value, lift, short_repr
from minigrad.source import function_line
from minigrad.types import TensorType, is_differentiable

SCALARS = (bool, int, float, complex)


def require_callable(who: str, f: Any) -> None:
    if not callable(f):
        raise ValueTypeError(f"{who}: expected a function, got {short_repr(f)} (a {type(f).__name__})")


def name_of(f: Any) -> str:
    """A function's name as a Python identifier; partials and callable objects have one too."""
    name = getattr(f, "__name__", None) or getattr(getattr(f, "func", None), "__name__", None)
    return name if isinstance(name, str) and name.isidentifier() else "f"


# ── names ────────────────────────────────────────────────────────────────────────────────────────
def positional_names(f: Any, count: int) -> list[str]:
    """What the function calls its first `count` positional arguments."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names: list[str] = []
    for p in parameters:
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            names.append(p.name)
        elif p.kind is p.VAR_POSITIONAL:
            names += [f"{p.name}[{i}]" for i in range(max(0, count - len(names)))]
    names += [f"args[{i}]" for i in range(len(names), count)]
    return names[:count]


def leaf_names(roots: Sequence[str], trees: Sequence[Any]) -> list[str]:
    """The path of every leaf of several trees, each from its root: `params['w']`."""
    return [tree.path_text(r, path) for r, t in zip(roots, trees) for path, _ in tree.flatten_with_paths(t)]


def argument_names(f: Any, args: Sequence[Any], kwargs: dict[str, Any]) -> list[str]:
    """The path of every leaf of a call, in the order of `tree.flatten((args, kwargs))`."""
    keys = tree.structure(kwargs).static if kwargs else ()
    roots = [*positional_names(f, len(args)), *map(str, keys or ())]  # type: ignore[call-overload]
    return leaf_names(roots, [*args, *[kwargs[k] for k in keys or ()]])  # type: ignore[attr-defined]


# ── leaves ───────────────────────────────────────────────────────────────────────────────────────
def is_tensor(x: Any) -> bool:
    """Can this leaf be computed with?"""
    return isinstance(x, (Value, np.ndarray, np.generic, *SCALARS)) or hasattr(x, "__array__")


def argument_value(who: str, x: Any, name: Callable[[], str], hint: str | None = None) -> Value:
    """A leaf of the arguments as a Value; `name` is asked only when there is something to complain about."""
    if isinstance(x, Handle):
        raise MixedFrontEndsError(
            f"{who}: argument {name()} is a {x.front_end} value",
            hint="transformations take arrays: take the numbers out of it first",
            lines=[("made at", x.origin())],
        )
    if isinstance(x, Value):
        return x
    if not is_tensor(x):
        raise ValueTypeError(
            f"{who}: argument {name()} is {short_repr(x)} (a {type(x).__name__}), not a tensor", hint=hint
        )
    try:
        return lift(x, who)
    except DtypeError as error:
        raise DtypeError(f"{who}: argument {name()}: {error.what.removeprefix(f'{who}: ')}", hint=error.hint) from None


def argument_values(
    who: str, leaves: Sequence[Any], names: Callable[[], Sequence[str]], hint: str | None = None
) -> list[Value]:
    return [
        x if type(x) is Array else argument_value(who, x, lambda i=i: names()[i], hint)  # type: ignore[misc]
        for i, x in enumerate(leaves)
    ]


# ── the bridge ───────────────────────────────────────────────────────────────────────────────────
class Flat:
    """The user's function from flat values to flat values, for one call.

    `call(values)` runs the user's code and gives his tree, or with has_aux a pair of trees; what he returned is
    remembered, so that `out` and `aux` can put the interpreter's results back into his containers. Leaves of aux
    that are not values (strings, Python numbers) are handed through.
    """

    def __init__(self, who: str, f: Any, call: Callable[[Sequence[Value]], Any], has_aux: bool = False) -> None:
        self.who, self.f, self.call, self.has_aux = who, f, call, has_aux
        self.structure: tree.TreeDef = tree.structure(None)
        self._aux: tuple[list[Any], tree.TreeDef] | None = None

    def __call__(self, *values: Value) -> list[Any]:
        y = self.call(values)
        if self.has_aux:
            y, aux = self._pair(y)
            self._aux = tree.flatten(aux)
        leaves, self.structure = tree.flatten(y)
        for i, leaf in enumerate(leaves):
            if not is_tensor(leaf):
                raise ValueTypeError(
                    f"{self.who}: the function returned {short_repr(leaf)} (a {type(leaf).__name__}) at {self.name(i)}"
                    ", which is not a tensor",
                    hint="return tensors, numbers, and containers of them",
                    lines=[("the function is", function_line(self.f))],
                )
        leaves = [lift(leaf, self.who) for leaf in leaves]
        return leaves + [x for x in (self._aux[0] if self._aux else ()) if isinstance(x, Value)]

    def _pair(self, y: Any) -> tuple[Any, Any]:
        if not isinstance(y, tuple) or len(y) != 2:
            raise GradientError(
                f"{self.who}: with has_aux=True the function must return a pair (value, aux), got {describe(y)}",
                lines=[("the function is", function_line(self.f))],
            )
        return y

    @property
    def count(self) -> int:
        """How many of the flat results are outputs; those after them belong to aux."""
        return self.structure.num_leaves

    def name(self, i: int, root: str = "output") -> str:
        return tree.path_text(root, self.structure.paths()[i])

    def names(self, root: str = "output") -> list[str]:
        return [tree.path_text(root, path) for path in self.structure.paths()]

    def out(self, ys: Sequence[Any]) -> Any:
        """The function's outputs in their containers."""
        for i, y in enumerate(ys[: self.count]):
            if isinstance(y, Handle):
                raise MixedFrontEndsError(
                    f"{self.who}: {self.name(i)} is a {y.front_end} value",
                    hint=f"the function used a {y.front_end} value: pass its numbers in as an argument",
                    lines=[("the function is", function_line(self.f)), ("it was made at", y.origin())],
                )
        return self.structure.unflatten(ys[: self.count])

    def aux(self, ys: Sequence[Any]) -> Any:
        """What the function returned beside them."""
        assert self._aux is not None
        rest = iter(ys[self.count :])
        return self._aux[1].unflatten([next(rest) if isinstance(x, Value) else x for x in self._aux[0]])


def describe(x: Any) -> str:
    """A type for a message: `f32[3]`, or the container with the types of its leaves."""
    leaves, structure = tree.flatten(x)
    shown = [_type_text(leaf) for leaf in leaves]
    if structure == tree.structure(0):
        return shown[0]
    return repr(structure.unflatten([_Verbatim(s) for s in shown]))


def _type_text(leaf: Any) -> str:
    if isinstance(leaf, TensorType):
        return str(leaf)
    return str(leaf.type if isinstance(leaf, Value) else lift(leaf).type) if is_tensor(leaf) else short_repr(leaf)


class _Verbatim:
    """Prints as its text."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return self.text


# ── tangents and cotangents given by the user ────────────────────────────────────────────────────
def matching(
    who: str,
    word: str,
    given: Any,
    structure: tree.TreeDef,
    types: Sequence[TensorType],
    names: Callable[[], list[str]],
) -> list[Any]:
    """The leaves of a tangent or cotangent, each of the type of what it belongs to; None where it is zero.

    Python numbers are weak and take that type. What belongs to integers is None (or zeros).
    """
    try:
        leaves = structure.flatten_up_to(given)
    except TreeError as error:
        where = error.what.replace("the trees differ at tree", f"the structures differ at {word}")
        raise GradientError(f"{who}: the {word}s must be arranged as what they belong to: {where}") from None
    found = []
    for i, (leaf, t) in enumerate(zip(leaves, types)):
        found.append(_matched(who, word, leaf, t, lambda i=i: names()[i]))  # type: ignore[misc]
    return found


def _matched(who: str, word: str, leaf: Any, t: TensorType, name: Callable[[], str]) -> Any:
    if leaf is None:
        return None
    if not is_tensor(leaf):
        raise GradientError(f"{who}: the {word} of {name()} is {short_repr(leaf)} (a {type(leaf).__name__}), not {t}")
    if not is_differentiable(t.dtype):
        if isinstance(leaf, (Array, np.ndarray, int)) and not np.any(np.asarray(getattr(leaf, "array", leaf))):
            return None
        raise GradientError(f"{who}: {name()} is {t} and carries no derivative: its {word} must be None")
    if type(leaf) in SCALARS and not (type(leaf) is complex and t.dtype.kind == "f"):
        leaf = np.asarray(leaf, t.dtype)
    value = lift(leaf, who)
    if value.type != t:
        raise GradientError(f"{who}: the {word} of {name()} is {value.type}, but {name()} is {t}")
    return value
