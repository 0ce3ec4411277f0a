"""Hypothesis strategies: shapes, broadcasts, arrays of any layout, nested containers, differentiable functions.

Floor 7. The one module that imports hypothesis, which is optional. Use them to property-test your own gradients:

    from hypothesis import given
    from minigrad.testing import check_grads, strategies

    @given(strategies.arrays(domain=(0.1, 3.0)))
    def test_my_loss(x):
        check_grads(my_loss, (x,))

    @given(strategies.functions(count=1, scalar=True), strategies.arrays(shape=(2, 3)))
    def test_my_transformation(f, x):
        assert_same(my_grad(f)(x), grad(f)(x))
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

try:
    from hypothesis import strategies as st
    from hypothesis.extra import numpy as hnp
except ModuleNotFoundError as error:
    raise ModuleNotFoundError(
        "minigrad.testing.strategies needs hypothesis: pip install hypothesis", name=error.name
    ) from None

from minigrad import numpy as mnp
from minigrad.op import ndarray
from minigrad.ops.rows import Row
from minigrad.testing.inventory import Case, row_case
from minigrad.testing.laws import LAYOUTS, laid_out
from minigrad.types import DType, as_dtype

Shape = tuple[int, ...]
DTYPES = ("float32", "float64", "int32", "int64", "uint8", "bool", "complex64", "complex128")
__all__ = ["arrays", "shapes", "broadcastable", "pytrees", "functions", "Program", "layouts", "values"]
ORDINARY = (0.0, -0.0, 1.0, -1.0, 1000.0, -1000.0)  # where rules like to go wrong
EXTREME = (float("inf"), float("-inf"), float("nan"))


# ── shapes ───────────────────────────────────────────────────────────────────────────────────────
def shapes(min_rank: int = 0, max_rank: int = 3, min_size: int = 0, max_size: int = 4) -> st.SearchStrategy[Shape]:
    """Shapes, scalars and empty ones included."""
    return hnp.array_shapes(min_dims=min_rank, max_dims=max_rank, min_side=min_size, max_side=max_size)


def broadcastable(
    count: int, max_rank: int = 3, min_size: int = 0, max_size: int = 4
) -> st.SearchStrategy[tuple[Shape, ...]]:
    """`count` shapes that broadcast together by NumPy's rule."""
    found = hnp.mutually_broadcastable_shapes(num_shapes=count, max_dims=max_rank, min_side=min_size, max_side=max_size)
    return found.map(lambda both: both.input_shapes)


# ── arrays ───────────────────────────────────────────────────────────────────────────────────────
def layouts() -> st.SearchStrategy[str]:
    """How an array lies in memory: "as is", "strided", "negative", "transposed", "read-only" or "broadcast"."""
    return st.sampled_from((*LAYOUTS, "broadcast"))


@st.composite
def arrays(
    draw: st.DrawFn,
    shape: Shape | st.SearchStrategy[Shape] | None = None,
    dtype: Any = "float64",
    domain: tuple[float, float] = (-3.0, 3.0),
    *,
    special: bool = False,
    nonfinite: bool = False,
    layout: str | st.SearchStrategy[str] | None = None,
) -> ndarray:
    """An ndarray: values in `domain` (ends included), any shape and memory layout unless given.

    special adds 0, -0, ±1 and ±1000 where the domain holds them; nonfinite adds inf, -inf and nan. A "broadcast"
    layout repeats one element along an axis without memory, and cannot be written.
    """
    drawn_shape = draw(shapes() if shape is None else shape if isinstance(shape, st.SearchStrategy) else st.just(shape))
    drawn_layout = draw(layout if isinstance(layout, st.SearchStrategy) else st.just(layout) if layout else layouts())
    kind = as_dtype(dtype)
    elements = values(kind, domain, special=special, nonfinite=nonfinite)
    if drawn_layout == "broadcast" and drawn_shape:
        first = draw(hnp.arrays(kind, (1, *drawn_shape[1:]), elements=elements))
        return np.broadcast_to(first, drawn_shape)
    return laid_out(draw(hnp.arrays(kind, drawn_shape, elements=elements)), drawn_layout)


def values(
    dtype: DType, domain: tuple[float, float], *, special: bool = False, nonfinite: bool = False
) -> st.SearchStrategy[Any]:
    """Scalars of a dtype in a domain; complex ones have both parts in it."""
    low, high = domain
    if dtype.kind == "b":
        return st.booleans()
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return st.integers(max(int(np.ceil(low)), int(limits.min)), min(int(np.floor(high)), int(limits.max)))
    # steps of 2^-20 of the domain: every drawn number is exact in float32, and none is subnormal
    plain = st.integers(0, 2**20).map(lambda k: float(np.float32(low + (high - low) * k / 2**20)))
    if special:
        plain |= st.sampled_from([v for v in ORDINARY if low <= v <= high] or [low])
    if nonfinite:
        plain |= st.sampled_from(EXTREME)
    return st.builds(complex, plain, plain) if dtype.kind == "c" else plain


# ── containers ───────────────────────────────────────────────────────────────────────────────────
def pytrees(leaves: st.SearchStrategy[Any] | None = None, max_leaves: int = 5) -> st.SearchStrategy[Any]:
    """Nested dicts, lists and tuples of leaves (arrays unless given), None among them."""
    inner = arrays() if leaves is None else leaves

    def grow(children: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        names = st.sampled_from(("w", "b", "layers", "x"))
        return (
            st.lists(children, max_size=3)
            | st.tuples(children, children)
            | st.dictionaries(names, children | st.none(), max_size=3)
        )

    return st.recursive(inner, grow, max_leaves=max_leaves)


# ── differentiable functions ─────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Program:
    """A small smooth function of tensors that broadcast together, printed as the expression it is.

    Values stay moderate for operands of moderate size, so that differences of it are meaningful to high order.
    """

    text: str
    count: int
    function: Callable[..., Any]

    def __call__(self, *xs: Any) -> Any:
        return self.function(*xs)

    def __repr__(self) -> str:
        return f"lambda {', '.join(f'x{i}' for i in range(self.count))}: {self.text}"


# What programs are made of: text with the operands' places, and what it means. Simplest first: so they shrink.
_UNARY: dict[str, Callable[[Any], Any]] = {
    "-{}": lambda p: -p,
    "sin({})": mnp.sin,
    "cos({})": mnp.cos,
    "tanh({})": mnp.tanh,
    "arctan({})": mnp.arctan,
    "exp(sin({}))": lambda p: mnp.exp(mnp.sin(p)),
    "log1p({0} * {0})": lambda p: mnp.log1p(p * p),
    "({0} * mean({0}))": lambda p: p * mnp.mean(p),
    "tanh(sum({}))": lambda p: mnp.tanh(mnp.sum(p)),
    "cumsum(sin(ravel({})))[-1:]": lambda p: mnp.cumsum(mnp.sin(mnp.ravel(p)))[-1:],
}
_BINARY: dict[str, Callable[[Any, Any], Any]] = {
    "({} + {})": lambda p, q: p + q,
    "({} - {})": lambda p, q: p - q,
    "({} * {})": lambda p, q: p * q,
    "({0} / (1 + {1} * {1}))": lambda p, q: p / (1 + q * q),
    "logaddexp({}, {})": mnp.logaddexp,
    "sin(vdot(ravel({0} + 0 * {1}), ravel({1} + 0 * {0})))": lambda p, q: mnp.sin(
        mnp.vdot(mnp.ravel(p + 0 * q), mnp.ravel(q + 0 * p))
    ),
}


def functions(count: int = 2, max_leaves: int = 6, scalar: bool = False) -> st.SearchStrategy[Program]:
    """Smooth functions of `count` tensors that broadcast together; `scalar` sums the result, so it has a gradient.

    Made of what minigrad.numpy has: elementwise functions, broadcasts, reductions, products, running sums. They
    shrink to short expressions, and print as such.

    >>> from hypothesis import find
    >>> "tanh" in find(functions(count=1), lambda f: "tanh" in f.text).text
    True
    """
    leaf = st.integers(0, count - 1).map(lambda i: Program(f"x{i}", count, lambda *xs: xs[i]))

    def unary(text: str, p: Program) -> Program:
        return Program(text.format(p.text), count, lambda *xs: _UNARY[text](p(*xs)))

    def binary(text: str, p: Program, q: Program) -> Program:
        return Program(text.format(p.text, q.text), count, lambda *xs: _BINARY[text](p(*xs), q(*xs)))

    def grow(inner: st.SearchStrategy[Program]) -> st.SearchStrategy[Program]:
        return st.builds(unary, st.sampled_from(tuple(_UNARY)), inner) | st.builds(
            binary, st.sampled_from(tuple(_BINARY)), inner, inner
        )

    found = st.recursive(leaf, grow, max_leaves=max_leaves)
    return found.map(_summed) if scalar else found


def _summed(p: Program) -> Program:
    return Program(f"sum({p.text})", p.count, lambda *xs: mnp.sum(p(*xs)))


# ── for the laws ─────────────────────────────────────────────────────────────────────────────────
@st.composite
def row_operands(draw: st.DrawFn, op: Row, dtype: str) -> tuple[Case, Callable[[Any], Sequence[ndarray]]]:
    """A case of a row (shapes that broadcast) and a way to draw its operands, each in a layout of its own."""
    case = row_case(op, draw(broadcastable(op.operands)), dtype)
    chosen = [draw(st.sampled_from(LAYOUTS)) for _ in case.draws]

    def operands(rng: Any) -> list[ndarray]:
        return [laid_out(x, layout) for x, layout in zip(case.operands(rng), chosen)]

    return case, operands
