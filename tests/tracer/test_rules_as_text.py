"""Custom derivative rules are part of a graph's text, and work when it is read again."""

from typing import Any

import pytest

import minigrad.numpy as mnp
import minigrad.tracer as mg
from minigrad.errors import GraphError
from minigrad.graph import run
from minigrad.text import parse, to_text


@mg.custom_vjp
def with_vjp(x: Any) -> Any:
    return mnp.sin(x)


with_vjp.defvjp(lambda x: (mnp.sin(x), mnp.cos(x)), lambda c, g: (3.0 * c * g,))


@mg.custom_jvp
def with_jvp(x: Any) -> Any:
    return mnp.sin(x)


with_jvp.defjvp(lambda xs, dots: (mnp.sin(xs[0]), 2.0 * mnp.cos(xs[0]) * dots[0]))


@mg.custom_jvp
def calls_itself(x: Any) -> Any:
    return mnp.exp(x)


calls_itself.defjvp(lambda xs, dots: (calls_itself(xs[0]), calls_itself(xs[0]) * dots[0]))


@mg.custom_jvp
def wrong(x: Any) -> Any:
    return mnp.exp(x)


wrong.defjvp(lambda xs, dots: (wrong(xs[0]), xs[0].no_such_method()))


@pytest.mark.parametrize("f", [with_vjp, with_jvp, calls_itself])
def test_read_again_it_has_the_same_derivative(f: Any) -> None:
    x = mnp.asarray([0.3, 0.7])
    text = to_text(mg.make_graph(f)(x))
    again = parse(text)
    assert to_text(again, lines=False) == to_text(mg.make_graph(f)(x), lines=False)
    total = lambda g: mg.grad(lambda x: mnp.sum(g(x)))
    assert mnp.array_equal(total(lambda x: run(again, [x])[0])(x), total(f)(x))


def test_a_rule_within_a_rule_is_left_out() -> None:
    again = parse(to_text(mg.make_graph(calls_itself)(0.5)))
    f = lambda x: run(again, [x])[0]
    with pytest.raises(GraphError, match="no derivative rules within derivative rules"):
        mg.grad(mg.grad(f))(0.5)


def test_a_rule_that_cannot_be_traced_is_left_out() -> None:
    assert "rule=rule()" in to_text(mg.make_graph(wrong)(0.5))
