"""Effects: they happen in their order, see values under derivatives, and run once per lane under vmap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad  # noqa: F401
from minigrad.errors import ArgumentError, CheckFailedError, NotDifferentiableError, ValueTypeError
from minigrad.graph import run
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array
from minigrad.ops.effects import Assert, Callback, Print
from minigrad.types import TensorType

F64, I64 = np.dtype("float64"), np.dtype("int64")
X = Array(np.array([1.0, 2.0, 3.0]))


def test_printing_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    def f(x: Any) -> list[Any]:
        Print("x = {}")(x)
        Print("and {:.2f}, {{so}}")(x[0])
        return [x * 2]

    graph, _ = trace(f, [X.type])
    assert graph.effect and capsys.readouterr().out == ""
    run(graph, [X])
    want = "x = [1. 2. 3.]\nand 1.00, {so}\n"
    assert capsys.readouterr().out == want
    jvp(f, [X], [X])
    vjp(f, [X])
    assert capsys.readouterr().out == want * 2
    batched(lambda x: Print("{} {}")(x, 7) or [x], [X], [True], 3)
    assert capsys.readouterr().out == "1.0 7\n2.0 7\n3.0 7\n"


@pytest.mark.parametrize("text", ["{} {}", "{name}", "{:d}", "{", "{0.nothing}"])
def test_a_format_that_does_not_fit(text: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        Print(text)(X)
    assert caught.value.what.startswith(f"print: {text!r} cannot be filled with 1 operand: ")


def test_calling_back() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append(x)
        assert not x.flags.writeable
        return x.sum(), 1

    op = Callback(f, (TensorType((), F64), TensorType((), I64)))
    total, count = op(X)
    assert total.item() == 6 and count.item() == 1 and count.dtype == I64
    graph, _ = trace(lambda x: op(x), [X.type])
    assert [y.item() for y in run(graph, [X])] == [6, 1] and len(seen) == 2
    rows = Array(np.arange(6.0).reshape(2, 3))
    assert batched(lambda x: op(x), [rows], [True], 2)[0].tolist() == [3, 12]
    log = Callback(lambda x: seen.append(x), ())
    assert log(X) == () and batched(lambda x: log(x) or [x], [X], [True], 3)[0].tolist() == X.tolist()
    assert [float(x) for x in seen[-3:]] == [1, 2, 3]
    assert Callback(lambda x: [1, 2], (TensorType((2,), I64),))(X)[0].tolist() == [1, 2]


def test_a_callback_has_no_derivative_unless_it_only_looks() -> None:
    looks = Callback(lambda x: None, ())
    _, pull = vjp(lambda x: looks(x) or [x * x], [X])
    assert pull([X])[0].tolist() == [2, 8, 18]
    for transform in (lambda f: vjp(f, [X]), lambda f: jvp(f, [X], [X])):
        with pytest.raises(NotDifferentiableError, match=r"^callback has no derivative: a callback is Python code"):
            transform(lambda x: Callback(np.sin, (X.type,))(x))


def wrong(x: Any) -> Any:
    return x


@pytest.mark.parametrize(
    ("f", "types", "message"),
    [
        (wrong, (TensorType((2,), F64),), "callback wrong: result 0 is float64[3], declared was f64[2]"),
        (wrong, (TensorType((3,), I64),), "callback wrong: result 0 is float64[3], declared was i64[3]"),
        (wrong, (), "callback wrong gave 1 result, declared were 0"),
        (wrong, (TensorType((3,), F64),) * 2, "callback wrong gave 1 result, declared were 2"),
        (lambda x: 1.5, (TensorType((), I64),), "callback <lambda>: result 0 is float64[], declared was i64[]"),
    ],
)
def test_a_callback_that_breaks_its_word(f: Any, types: Any, message: str) -> None:
    with pytest.raises(ValueTypeError) as caught:
        Callback(f, types)(X)
    assert caught.value.what == message


def positive(x: Any) -> list[Any]:
    Assert("x must be positive, not {}")(x > 0, x)
    return [x * x]


def test_asserting() -> None:
    assert positive(X)[0].tolist() == [1, 4, 9]
    _, pull = vjp(positive, [X])
    assert pull([X])[0].tolist() == [2, 8, 18]
    graph, _ = trace(positive, [X.type])
    with pytest.raises(CheckFailedError) as caught:
        run(graph, [Array(np.array([1.0, -2.0, 3.0]))])
    message = str(caught.value).splitlines()
    assert message[0] == "assert: x must be positive, not [ 1. -2.  3.]"
    assert message[-1].endswith('Assert("x must be positive, not {}")(x > 0, x)') and "asserted at" in message[-1]
    assert isinstance(caught.value, AssertionError)


def test_a_failed_assert_names_its_lane() -> None:
    rows = Array(np.array([[1.0, 2.0], [3.0, -4.0], [-5.0, 6.0]]))
    assert batched(positive, [Array(abs(rows.array))], [True], 3)[0].shape == (3, 2)
    with pytest.raises(CheckFailedError, match=r"^assert: x must be positive, not \[ 3. -4.\] \(lane 1 of vmap\)\n"):
        batched(positive, [rows], [True], 3)
    inner = lambda row: batched(positive, [row], [True], 2)
    with pytest.raises(CheckFailedError, match=r"^assert: x must be positive, not -4.0 \(lane \(1, 1\) of vmap\)\n"):
        batched(inner, [rows], [True], 3)
    with pytest.raises(CheckFailedError, match=r"^assert: never \(lane 0 of vmap\)\n"):
        batched(lambda x: Assert("never")(False, x) or [x], [X], [True], 3)
    with pytest.raises(ArgumentError, match=r"^assert: '{} {}' cannot be filled with 1 operand"):
        Assert("{} {}")(False, X)


def test_asserts_are_equal_wherever_they_stand() -> None:
    first = Assert("a")
    assert first == Assert("a") and hash(first) == hash(Assert("a")) and first != Assert("b")
    assert str(first) == "Assert(message='a', lanes=0, elementwise=False)"
