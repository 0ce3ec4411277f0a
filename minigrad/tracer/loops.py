"""Control flow that stays in the graph: cond, switch, scan, while_loop, fori_loop, map.

Floor 6. Trees in and out, over the flat functions of `minigrad.control`. Bodies are traced, so they may close over
anything: outer traced values become operands of the op that holds the body. What can be said of a wrong body is
said here, with paths into the user's containers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minigrad import control, tree
from minigrad.errors import ArgumentError, ConcretizationError, ShapeError, TreeError
from minigrad.op import Array, Value, lift
from minigrad.ops.elementwise import add, convert, less
from minigrad.source import function_line
from minigrad.tracer.arguments import SCALARS, Flat, argument_values, describe, leaf_names, require_callable
from minigrad.types import BOOL, DType, TensorType, promote


# ── choices ──────────────────────────────────────────────────────────────────────────────────────
def cond(pred: Any, true_fun: Callable[..., Any], false_fun: Callable[..., Any], *operands: Any) -> Any:
    """`true_fun(*operands)` if pred else `false_fun(*operands)`: only one of them runs.

    pred is a scalar; both functions must return the same structure with the same types.

    >>> float(cond(True, lambda x: x + 1.0, lambda x: x - 1.0, 5.0))
    6.0
    """
    require_callable("cond", true_fun)
    require_callable("cond", false_fun)
    index = _scalar("cond", "the predicate", pred)
    if index.dtype.kind == "f":
        raise ArgumentError(f"cond: the predicate must be a bool, got {index.type}", hint="compare: x > 0")
    # the branches in order of their index: false is 0
    return _choose("cond", convert(index, BOOL), (false_fun, true_fun), ("false_fun", "true_fun"), operands)


def switch(index: Any, branches: Sequence[Callable[..., Any]], *operands: Any) -> Any:
    """`branches[index](*operands)`: only one of them runs. The index is clamped to the branches there are.

    >>> float(switch(1, [lambda x: x + 1.0, lambda x: x * 10.0], 5.0))
    50.0
    """
    if not branches:
        raise ArgumentError("switch: there must be at least one branch")
    for f in branches:
        require_callable("switch", f)
    number = _scalar("switch", "the index", index)
    if number.dtype.kind not in "iu":
        raise ArgumentError(f"switch: the index must be an integer, got {number.type}")
    return _choose("switch", number, tuple(branches), [f"branch {i}" for i in range(len(branches))], operands)


def _scalar(who: str, what: str, x: Any) -> Value:
    value = lift(x, who)
    if value.shape != ():
        raise ArgumentError(
            f"{who}: {what} must be a scalar, got {value.type}", hint="reduce it with all() or any(), or use where"
        )
    return value


def _choose(who: str, index: Value, fs: Sequence[Any], labels: Sequence[str], operands: tuple[Any, ...]) -> Any:
    leaves, structure = tree.flatten(operands)
    values = argument_values(who, leaves, lambda: leaf_names(_roots(operands), operands))
    flats = [Flat(who, f, lambda vs, f=f: f(*structure.unflatten(vs))) for f in fs]  # type: ignore[misc]
    returned: list[list[TensorType]] = []

    def branch(flat: Flat) -> Callable[..., list[Any]]:
        def run(*xs: Value) -> list[Any]:
            ys = flat(*xs)
            returned.append([y.type for y in ys])
            if len(returned) > 1:
                _require_same_branches(who, flats, labels, returned)
            return ys

        return run

    return flats[0].out(control.branch(index, [branch(flat) for flat in flats], values))


def _roots(operands: tuple[Any, ...]) -> list[str]:
    return [f"operands[{i}]" for i in range(len(operands))]


def _require_same_branches(
    who: str, flats: list[Flat], labels: Sequence[str], returned: list[list[TensorType]]
) -> None:
    """The branch just traced must return what the first one does."""
    k = len(returned) - 1
    lines = [(f"{labels[i]} is", function_line(flats[i].f)) for i in (0, k)]
    first, here = flats[0], flats[k]
    if first.structure != here.structure:
        shown = [describe(f.structure.unflatten(ts)) for f, ts in ((first, returned[0]), (here, returned[k]))]
        raise TreeError(
            f"{who}: {labels[0]} returns {shown[0]}, {labels[k]} returns {shown[1]}", hint=SAME_BRANCHES, lines=lines
        )
    for i, (a, b) in enumerate(zip(returned[0], returned[k])):
        if a != b:
            raise ShapeError(
                f"{who}: {first.name(i)} is {a} from {labels[0]}, but {b} from {labels[k]}",
                hint=SAME_BRANCHES,
                lines=lines,
            )


SAME_BRANCHES = "the branches must return the same structure, shapes and dtypes"


# ── loops ────────────────────────────────────────────────────────────────────────────────────────
class _Wider(Exception):
    """A Python number in the carry meets a body that gives it another dtype: it takes that dtype."""

    def __init__(self, index: int, dtype: DType) -> None:
        self.index, self.dtype = index, dtype


class _Carry:
    """The values a loop carries along, and the check that its body gives back the same types.

    Python numbers are weak at both ends: in the result of the body they take the type they replace, in the initial
    carry the dtype that the body gives.
    """

    def __init__(self, who: str, f: Any, init: Any) -> None:
        self.who, self.f = who, f
        leaves, self.structure = tree.flatten(init)
        self.values = argument_values(who, leaves, lambda: leaf_names(["init"], [init]))
        self.weak = {i: type(x) for i, x in enumerate(leaves) if type(x) in SCALARS}

    def run(self, loop: Callable[[], list[Any]]) -> list[Any]:
        """The loop's results, once the Python numbers in the initial carry have found their dtypes."""
        while True:
            try:
                return loop()
            except _Wider as wider:
                self.values[wider.index] = convert(self.values[wider.index], wider.dtype)
                del self.weak[wider.index]

    def check(self, after: Any) -> list[Any]:
        """The leaves of the carry that the body returned."""
        leaves, structure = tree.flatten(after)
        lines = [("the body is", function_line(self.f))]
        if structure != self.structure:
            shown = describe(self.structure.unflatten([x.type for x in self.values])), describe(after)
            raise TreeError(f"{self.who}: the carry is {shown[0]}, but the body returns {shown[1]}", lines=lines)
        for i, x in enumerate(self.values):
            leaf, path = leaves[i], tree.path_text("carry", self.structure.paths()[i])
            if type(leaf) in SCALARS and promote(x.dtype, type(leaf)) == x.dtype:
                leaves[i] = leaf = Array(np.full(x.shape, leaf, x.dtype))
            t = argument_values(self.who, [leaf], lambda path=path: [path])[0].type  # type: ignore[misc]
            if t == x.type:
                continue
            if i in self.weak and t.shape == x.shape and promote(t.dtype, self.weak[i]) == t.dtype:
                raise _Wider(i, t.dtype)
            raise ShapeError(
                f"{self.who}: the body changes the type of {path} from {x.type} to {t}",
                hint="a carry keeps its type: convert inside the body, or start with the type it ends with",
                lines=lines,
            )
        return leaves


def scan(
    f: Callable[[Any, Any], Any],
    init: Any,
    xs: Any = None,
    length: int | None = None,
    reverse: bool = False,
    unroll: int = 1,
) -> Any:
    """`carry, y = f(carry, x)` for each slice x of xs along axis 0: the last carry, and the ys stacked.

    xs may be None when `length` is given (f then gets None). reverse: from the last slice to the first; ys stand
    where their slice stood. `unroll` is accepted for JAX's programs; it changes nothing here.

    >>> import minigrad.numpy as jnp
    >>> total, sums = scan(lambda c, x: (c + x, c + x), 0.0, jnp.asarray([1.0, 2.0, 3.0]))
    >>> float(total), sums.tolist()
    (6.0, [1.0, 3.0, 6.0])
    """
    require_callable("scan", f)
    carry = _Carry("scan", f, init)
    leaves, structure = tree.flatten(xs)
    slices = argument_values("scan", leaves, lambda: leaf_names(["xs"], [xs]))
    n = _length(slices, lambda: leaf_names(["xs"], [xs]), length)
    count = len(carry.values)
    stacked = Flat("scan", f, lambda values: values)

    def step(*values: Value) -> list[Any]:
        out = f(carry.structure.unflatten(values[:count]), structure.unflatten(values[count:]))
        if not isinstance(out, tuple) or len(out) != 2:
            raise TreeError(
                f"scan: the body must return a pair (carry, y), got {describe(out)}",
                lines=[("the body is", function_line(f))],
            )
        stacked.call = lambda _: out[1]
        return [*carry.check(out[0]), *stacked()]

    results = carry.run(lambda: control.scan(step, carry.values, slices, n, reverse))
    return carry.structure.unflatten(results[:count]), stacked.out(results[count:])


def _length(slices: Sequence[Value], names: Callable[[], list[str]], length: int | None) -> int:
    """How many steps: the common size of the first axes, or what the caller says."""
    if not slices and length is None:
        raise ArgumentError("scan: xs is empty, so the number of steps must be given", hint="scan(f, init, length=10)")
    known: tuple[str, int] | None = None if length is None else ("length", length)
    for i, x in enumerate(slices):
        if x.ndim == 0:
            raise ShapeError(f"scan: {names()[i]} is {x.type} and has no axis to slice", hint="close over it instead")
        if known is not None and x.shape[0] != known[1]:
            raise ShapeError(f"scan: {names()[i]} ({x.type}) has {x.shape[0]} slices, but {known[0]} has {known[1]}")
        known = known or (names()[i], x.shape[0])
    assert known is not None
    return known[1]


def while_loop(
    cond_fun: Callable[[Any], Any], body_fun: Callable[[Any], Any], init_val: Any, max_steps: int | None = None
) -> Any:
    """The value after: `while cond_fun(val): val = body_fun(val)`.

    At most max_steps steps are taken where it is given; inside `jit`, reverse mode then records each step once
    instead of running the loop a second time.

    >>> int(while_loop(lambda n: n < 100, lambda n: n * 2, 1))
    128
    """
    require_callable("while_loop", cond_fun)
    require_callable("while_loop", body_fun)
    carry = _Carry("while_loop", body_fun, init_val)

    def test(*values: Value) -> Any:
        going = cond_fun(carry.structure.unflatten(values))
        t = describe(going)
        if t != "bool[]":
            raise ArgumentError(
                f"while_loop: the condition must return a scalar bool, got {t}",
                lines=[("the condition is", function_line(cond_fun))],
            )
        return lift(going, "while_loop")

    def step(*values: Value) -> list[Any]:
        return carry.check(body_fun(carry.structure.unflatten(values)))

    return carry.structure.unflatten(carry.run(lambda: control.repeat(test, step, carry.values, max_steps)))


def fori_loop(lower: Any, upper: Any, body_fun: Callable[[Any, Any], Any], init_val: Any) -> Any:
    """The value after: `for i in range(lower, upper): val = body_fun(i, val)`.

    With Python ints as limits it is a scan, which reverse mode passes through; with traced limits a while loop.

    >>> int(fori_loop(0, 5, lambda i, total: total + i, 0))
    10
    """
    require_callable("fori_loop", body_fun)
    carry = _Carry("fori_loop", body_fun, init_val)
    start, stop = _scalar("fori_loop", "lower", lower), _scalar("fori_loop", "upper", upper)
    for name, limit in (("lower", start), ("upper", stop)):
        if limit.dtype.kind not in "iu":
            raise ArgumentError(f"fori_loop: {name} must be an integer, got {limit.type}")
    one = Array(np.ones((), start.dtype))

    def step(i: Value, *values: Value) -> list[Any]:
        return [add(i, one), *carry.check(body_fun(i, carry.structure.unflatten(values)))]

    try:
        n = max(0, int(stop.concrete("int()")) - int(start.concrete("int()")))
    except ConcretizationError:
        stop = convert(stop, start.dtype)
        results = carry.run(lambda: control.repeat(lambda i, *_: less(i, stop), step, [start, *carry.values]))
    else:
        results = carry.run(lambda: control.scan(step, [start, *carry.values], [], n))
    return carry.structure.unflatten(results[1:])


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of each slice of xs along axis 0, one after the other, stacked (`vmap` does them at once).

    >>> import minigrad.numpy as jnp
    >>> map(lambda x: x * x, jnp.asarray([1.0, 2.0])).tolist()
    [1.0, 4.0]
    """
    return scan(lambda _, x: ((), f(x)), (), xs)[1]
