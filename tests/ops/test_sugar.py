"""Python's operators and conversions: the same as NumPy's on numbers, and errors that say why where there are none."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import minigrad  # noqa: F401
from minigrad.errors import ArgumentError, ConcretizationError, DtypeError, MinigradError, ValueTypeError
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.types import TensorType

BINARY = [operator.add, operator.sub, operator.mul, operator.truediv, operator.floordiv, operator.mod, operator.pow]
BITS = [operator.and_, operator.or_, operator.xor, operator.lshift, operator.rshift]
COMPARE = [operator.eq, operator.ne, operator.lt, operator.le, operator.gt, operator.ge]
UNARY = [operator.neg, operator.pos, operator.abs, round]
X, Y = np.array([1.5, -2.0, 3.25]), np.array([2.0, 4.0, 0.5])
I, J = np.array([6, -3, 12]), np.array([1, 2, 3])


def check(f: Any, *xs: Any) -> None:
    got, want = f(*[Array(x) if isinstance(x, np.ndarray) else x for x in xs]), f(*xs)
    np.testing.assert_allclose(got.array, want, rtol=1e-6)


@pytest.mark.parametrize("op", BINARY + COMPARE, ids=lambda f: f.__name__)
def test_binary_operators(op: Any) -> None:
    for a, b in [(X, Y), (X, 2.0), (3.0, Y), (abs(X), 2), (I, J), (7, J)]:
        check(op, a, b)
    assert isinstance(op(Y, Array(X)), Array) and isinstance(op(np.float64(2), Array(X)), Array)


@pytest.mark.parametrize("op", BITS, ids=lambda f: f.__name__)
def test_operators_on_integers(op: Any) -> None:
    for a, b in [(I, J), (I, 2), (64, J)]:
        check(op, a, b)
    assert (~Array(I)).tolist() == [-7, 2, -13] and (Array(X) > 0).tolist() == [True, False, True]
    assert ((Array(X) > 0) & (Array(Y) > 1)).tolist() == [True, False, False]


@pytest.mark.parametrize("op", UNARY, ids=lambda f: f.__name__)
def test_unary_operators(op: Any) -> None:
    np.testing.assert_array_equal(op(Array(X)).array, np.round(X) if op is round else op(X))


def test_divmod_and_rounding_to_decimals() -> None:
    (q, r), (s, t) = divmod(Array(I), 4), divmod(25, Array(J))
    assert (q.tolist(), r.tolist()) == ([1, -1, 3], [2, 1, 0]) and (s.tolist(), t.tolist()) == ([25, 12, 8], [0, 1, 1])
    assert round(Array(np.array([1.234, 5.678])), 2).tolist() == [1.23, 5.68]


def test_an_operator_in_place_makes_a_new_value() -> None:
    x = y = Array(X)
    x += 1
    assert x is not y and y.tolist() == X.tolist()


@pytest.mark.parametrize("other", ["one", None, object()])
def test_what_is_no_number_is_left_to_the_other_side(other: Any) -> None:
    assert Array(X).__add__(other) is NotImplemented
    with pytest.raises(TypeError, match="unsupported operand"):
        Array(X) + other
    assert (Array(X) == other) is False


@pytest.mark.parametrize("other", [[1.0, 2.0, 3.0], (1.0,)])
@pytest.mark.parametrize(
    "operator", ["x + y", "y + x", "x * y", "y * x", "x - y", "x @ y", "x == y", "y != x", "x < y"]
)
def test_a_list_is_refused_before_python_repeats_it_or_calls_it_unequal(operator: str, other: Any) -> None:
    with pytest.raises(ValueTypeError, match=f"a {type(other).__name__} is not a tensor"):
        eval(operator, {"x": Array(X), "y": other})


def test_numbers_for_python() -> None:
    one = Array(np.array(2.0))
    assert (float(one), int(one), complex(one), bool(one), one.item()) == (2.0, 2, 2 + 0j, True, 2.0)
    assert bool(Array(np.array([0j]))) is False and list(range(Array(np.array(3)))) == [0, 1, 2]
    assert Array(I.reshape(1, 3)).tolist() == [[6, -3, 12]] and len(Array(I)) == 3
    assert [row.tolist() for row in Array(np.arange(4).reshape(2, 2))] == [[0, 1], [2, 3]]
    assert f"{one:.2f}" == "2.00" and f"{Array(I)}" == str(I)


def test_numpy_reads_without_writing() -> None:
    x = Array(X.copy())
    view = np.asarray(x)
    assert view.base is not None and not view.flags.writeable and np.shares_memory(view, x.array)
    copy = np.array(x)
    copy[0] = 9.0
    assert x.tolist() == X.tolist() and np.asarray(x, dtype=np.float32).dtype == np.float32
    with pytest.raises(DtypeError, match=r"^numpy.asarray\(\): f64\[3\] is no float32 without a copy"):
        np.asarray(x, dtype=np.float32, copy=False)


def test_text() -> None:
    assert repr(Array(np.array([1, 2], np.float32))) == "Array([1., 2.], dtype=float32)"
    assert repr(Array(np.zeros((0, 2)))) == "Array([], shape=(0, 2), dtype=float64)"
    assert repr(Array(np.array(True))) == "Array(True, dtype=bool)" and str(Array(I)) == "[ 6 -3 12]"
    seen: list[str] = []
    traced = lambda x: seen.extend((repr(x), repr(x + 1))) or [x]
    trace(traced, [TensorType((3,), np.dtype("float32"))], labels=["x"])
    vjp(traced, [Array(X)])
    assert seen == ["<traced f32[3], argument x>", "<traced f32[3]>", "<traced f64[3]>", "<traced f64[3]>"]


def test_traced_values_are_keys_and_arrays_are_not() -> None:
    trace(lambda x: [{x: x}[x]], [TensorType((), np.dtype("float32"))])
    with pytest.raises(TypeError, match=r"^an Array cannot be a dict key or in a set \(f64\[3\]\): == compares"):
        hash(Array(X))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: bool(Array(X)), ArgumentError, "bool() of f64[3]: it has 3 elements, not one"),
        (lambda: float(Array(X)), ArgumentError, "float() of f64[3]: it has 3 elements, not one"),
        (lambda: Array(X[:0]).item(), ArgumentError, "item() of f64[0]: it has 0 elements, not one"),
        (lambda: f"{Array(X):.2f}", ArgumentError, "format() of f64[3]: it has 3 elements, not one"),
        (lambda: int(Array(np.array(1j))), DtypeError, "int() of c128[]: a complex number has none"),
        (lambda: [1, 2][Array(np.array(1.0))], DtypeError, "f64[] cannot be an index"),
        (lambda: len(Array(np.array(1.0))), ValueTypeError, "len() of a scalar, f64[]"),
        (lambda: list(Array(np.array(1.0))), ValueTypeError, "cannot iterate over a scalar, f64[]"),
    ],
)
def test_errors(call: Any, error: type[MinigradError], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.what == message


@pytest.mark.parametrize(
    ("ask", "why"),
    [(bool, "bool()"), (float, "float()"), (int, "int()"), (complex, "complex()"), (np.asarray, "numpy.asarray()"),
     (lambda x: x.item(), "item()"), (lambda x: x.tolist(), "tolist()")],
)  # fmt: skip
def test_a_traced_value_says_where_it_comes_from(ask: Any, why: str) -> None:
    with pytest.raises(ConcretizationError) as caught:
        trace(lambda x, y: [ask(x > 0)], [TensorType((), np.dtype("float32"))] * 2, labels=["x", "y"])
    assert caught.value.what == f"{why} of a traced value bool[], which depends on argument x"
    with pytest.raises(
        ConcretizationError, match=r"of a value mapped by vmap, f64\[\]: it is different in each of 3 lanes"
    ):
        batched(lambda x: [ask(x)], [Array(X)], [True], 3)
