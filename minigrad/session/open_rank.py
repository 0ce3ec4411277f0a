"""Tensors whose rank only the feed will tell: `tf.placeholder(tf.float32)`.

Floor 6. What a function makes of such a tensor cannot be built yet, so the call itself is put into the graph, as a
`Deferred` op; once the ranks are fed, `resolve` builds the graph again with it carried out. Its gradient is deferred
likewise. What does not depend on the rank is known at once: the function is tried on a few ranks when it is called,
so that `tf.reduce_mean(x)` is a known f32[], and a wrong dtype stops at its own line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from minigrad.errors import DtypeError, MinigradError, ShapeError, ValueTypeError
from minigrad.frozen import dataclass
from minigrad.graph import Atom, Const, Graph, Node, Var, specialize_op
from minigrad.interpreters import reverse
from minigrad.interpreters.build import Build, trace
from minigrad.op import EVALUATE, Array, Handle, Interpreter, Op, Value, lift, using
from minigrad.ops.kinds import zeros
from minigrad.types import SHORT, Dim, DType, TensorType, assume_equal, symbols_of

_GUESS = "_axis"  # begins the names of sizes that only stand in while trying
_TRIED = (0, 1, 2, 3, 4)  # ranks a function is tried on; TensorFlow programs rarely have more


class OpenType(TensorType):
    """A type of which only the dtype is known."""

    __slots__ = ()

    def __init__(self, dtype: DType) -> None:
        object.__setattr__(self, "dtype", dtype)  # frozen

    @property
    def shape(self) -> NoReturn:
        raise ShapeError(
            f"the rank of {self} is not known until it is fed",
            hint="give the placeholder a shape, as [None, 784], or use x.set_shape(...)",
        )

    def with_dtype(self, dtype: DType) -> TensorType:
        return OpenType(dtype)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OpenType) and self.dtype == other.dtype

    def __hash__(self) -> int:
        return hash((OpenType, self.dtype))

    def __str__(self) -> str:
        return f"{SHORT[self.dtype]}[...]"

    __repr__ = __str__


def is_open(x: Any) -> bool:
    """Is the rank of this operand unknown?"""
    return isinstance(x, Handle) and isinstance(x.type, OpenType)


@dataclass(frozen=True, eq=False)
class Deferred(Op):
    """f(*operands), to be built when their ranks are known; `type` is what is known of the result before."""

    name: str
    f: Callable[..., Any]
    type: TensorType

    @property
    def label(self) -> str:
        return self.name

    def out_type(self, *types: TensorType) -> TensorType:
        return self.type

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return [
            Deferred(self.name, _pull(self.f, i), x.type)(y_bar, *xs) if w else None
            for i, (x, w) in enumerate(zip(xs, wanted, strict=True))
        ]


def _pull(f: Callable[..., Any], i: int) -> Callable[..., Any]:
    """The cotangent of operand i, as a function of the result's and of all operands."""

    def pull(y_bar: Value, *xs: Value) -> Any:
        _, back = reverse.vjp(lambda *values: [f(*values)], xs)
        x_bar = back([y_bar])[i]
        return zeros(xs[i].type) if x_bar is None else x_bar

    return pull


def defer(interpreter: Interpreter, name: str, f: Callable[..., Any], xs: Sequence[Any]) -> Any:
    """Append f(*xs) as a deferred op. What is not a tensor of the graph (a weak number, an axis) stays as it is."""
    places = [k for k, x in enumerate(xs) if isinstance(x, Handle)]

    def call(*values: Value) -> Any:
        operands = list(xs)
        for k, v in zip(places, values, strict=True):
            operands[k] = v
        return f(*operands)

    operands = [xs[k] for k in places]
    return interpreter.apply(Deferred(name, call, _result_type(name, call, [x.type for x in operands])), operands)


def _result_type(who: str, f: Callable[..., Any], types: Sequence[TensorType]) -> TensorType:
    """What the results have in common over the ranks the function takes."""
    found: list[TensorType] = []
    refused: list[MinigradError] = []
    several: list[bool] = []

    def single(*values: Value) -> list[Any]:
        y = f(*values)
        if isinstance(y, (list, tuple)):
            several.append(True)
            raise _several(who)
        return [y]

    token = assume_equal.set(lambda a, b: None)
    try:
        for rank in _TRIED:
            shape = tuple(Dim.symbol(f"{_GUESS}{k}") for k in range(rank))
            guess = [t.with_shape(shape) if isinstance(t, OpenType) else t for t in types]
            try:
                with using(EVALUATE):
                    graph, _ = trace(single, [TensorType(g.shape, g.dtype) for g in guess])
                found.append(graph.out_types[0])
            except MinigradError as error:
                refused.append(error)
    finally:
        assume_equal.reset(token)
    if several:
        raise _several(who)
    if not found:
        if all(isinstance(e, (DtypeError, ValueTypeError)) for e in refused):
            raise refused[0]
        return OpenType(types[0].dtype)
    settled = all(t == found[0] for t in found[1:]) and not any(s.startswith(_GUESS) for s in symbols_of(found[0]))
    return found[0] if settled else OpenType(found[0].dtype)


def settle(x: Any, type: TensorType, who: str) -> Any:
    """x of open rank as a tensor of this type; what is fed must make it so."""

    def require(v: Value) -> Value:
        if v.type != type:
            raise ShapeError(f"{who} must be {type}, but what was fed makes it {v.type}")
        return v

    return x.home().apply(Deferred("settle", require, type), [x])


def _several(who: str) -> ShapeError:
    return ShapeError(
        f"{who} gives several tensors, so the rank must be known when the graph is built",
        hint="give the placeholder a shape, as [None, 784]",
    )


def resolve(graph: Graph, types: Sequence[TensorType], sizes: dict[str, int]) -> Graph:
    """The graph for inputs of these types, with the deferred calls carried out. Nodes keep their lines."""
    it = Build(EVALUATE)
    world: dict[Var, Value] = {}
    for v, t in zip(graph.inputs, types, strict=True):
        world[v] = it.builder.add_input(t, it, v.label, v.line)

    def value(a: Atom) -> Value:
        return world[a] if isinstance(a, Var) else Array(a.array)

    for n in graph.nodes:
        start = len(it.builder.nodes)
        ys = _apply(n, it, [value(a) for a in n.ins], sizes)
        for v, y in zip(n.outs, ys, strict=True):
            world[v] = y
        for made in it.builder.nodes[start:]:
            made.line = n.line
    it.alive = False
    outputs: list[Atom] = []
    for a in graph.outputs:
        y = value(a)
        outputs.append(y if isinstance(y, Var) else Const(y.concrete("return")))
    return Graph(it.builder.inputs, it.builder.nodes, outputs, graph.name)


def _apply(n: Node, it: Build, xs: Sequence[Value], sizes: dict[str, int]) -> Sequence[Value]:
    try:
        with using(it):
            if isinstance(n.op, Deferred):
                return [lift(n.op.f(*xs), "return")]
            y = specialize_op(n.op, dict(sizes))(*xs)
            return y if n.op.many else [y]
    except MinigradError as error:
        raise type(error)(error.what, hint=error.hint, lines=[*error.lines, ("built at", n.line)]) from None
