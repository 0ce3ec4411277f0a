"""minigrad.numpy.special: values, derivatives, lanes and graphs of every function; limits, kinks, refusals."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import scipy.special

import minigrad.numpy as mnp
import minigrad.tracer as jax
from minigrad.errors import ArgumentError, DtypeError, NotDifferentiableError
from minigrad.ops.kinds import Draw
from tests.numpy.functions import Function

sp = mnp.special
POSITIVE, UNIT, ANY = (0.3, 4.0), (0.1, 0.9), (-2.0, 2.0)


def same(name: str, *domains: tuple[float, float], **more: Any) -> Function:
    """Operands [2, 3], [3], [3]."""
    draws = tuple(Draw((2, 3) if i == 0 else (3,), domain=d) for i, d in enumerate(domains))
    reference = {"gammaln": "gammaln"}.get(name, name)
    return Function(name, getattr(sp, name), getattr(scipy.special, reference), draws, kinds="f", **more)


FUNCTIONS = [
    *[same(name, POSITIVE) for name in ("gamma", "gammaln", "digamma")],
    same("entr", (2.0, 4.0)),  # differences of it must not step below 0, where it is -inf
    *[same(name, UNIT) for name in ("ndtri", "logit", "erfinv")],
    *[same(name, ANY) for name in ("erf", "erfc", "erfcx", "ndtr", "log_ndtr", "i0", "i1")],
    *[same(name, (0.3, 3.0)) for name in ("i0e", "i1e")],
    Function("expit", sp.expit, lambda x: 1 / (1 + np.exp(-x)), (Draw((2, 3)),)),
    *[same(name, POSITIVE, POSITIVE) for name in ("beta", "betaln")],
    *[same(name, POSITIVE, POSITIVE, by=(1,)) for name in ("gammainc", "gammaincc")],
    same("zeta", (1.5, 4.0), POSITIVE, by=(1,)),
    same("betainc", POSITIVE, POSITIVE, UNIT, by=(2,)),
    same("xlogy", ANY, POSITIVE),
    same("xlog1py", ANY, (-0.6, 2.0)),
    *[
        Function(
            f"polygamma{n}",
            lambda x, n=n: sp.polygamma(n, x),
            lambda x, n=n: scipy.special.polygamma(n, x),
            (Draw((3,), domain=POSITIVE),),
            kinds="f",
        )
        for n in (0, 1, 3)
    ],
    *[
        Function(
            f"multigammaln{d}",
            lambda x, d=d: sp.multigammaln(x, d),
            lambda x, d=d: scipy.special.multigammaln(x, d),
            (Draw((3,), domain=(1.6, 4.0)),),
            kinds="f",
        )
        for d in (1, 3)
    ],
    Function(
        "logsumexp",
        lambda x: sp.logsumexp(x, axis=1, keepdims=True),
        lambda x: scipy.special.logsumexp(x, axis=1, keepdims=True),
        (Draw((2, 3)),),
    ),
    Function(
        "logsumexp-b",
        lambda x, b: sp.logsumexp(x, axis=0, b=b),
        lambda x, b: scipy.special.logsumexp(x, axis=0, b=b),
        (Draw((2, 3)), Draw((3,), domain=(0.5, 2.0))),
        kinds="f",
    ),
]


def test_every_function_has_a_line() -> None:
    names = " ".join(f.name for f in FUNCTIONS)
    assert [n for n in sp.__all__ if inspect.isfunction(getattr(sp, n)) and n not in names] == []


@pytest.mark.parametrize(
    ("f", "at", "value", "slope"),
    [
        (sp.entr, 0.0, 0.0, np.inf),
        (sp.entr, -1.0, -np.inf, np.nan),
        (lambda x: sp.xlogy(x, 2.0), 0.0, 0.0, np.log(2.0)),
        (lambda x: sp.xlogy(0.0, x), 0.0, 0.0, np.nan),
        (lambda x: sp.xlog1py(x, 1.0), 0.0, 0.0, np.log(2.0)),
        (sp.i0, 0.0, 1.0, 0.0),
        (sp.i1, 0.0, 0.0, 0.5),
        (sp.i0e, 0.0, 1.0, 0.0),
        (sp.i1e, 0.0, 0.0, 0.5),
        (sp.gamma, 0.0, np.inf, -np.inf),
        (sp.log_ndtr, -1e4, -50000010.129, 10000.0001),
        (sp.log_ndtr, 40.0, 0.0, 0.0),
        (sp.ndtri, 0.0, -np.inf, np.inf),
        (sp.logit, 1.0, np.inf, np.inf),
        (sp.expit, -1000.0, 0.0, 0.0),
        (sp.ndtr, -40.0, 0.0, 0.0),
        (lambda x: sp.gammainc(1.0, x), 0.0, 0.0, 1.0),
        (lambda x: sp.betainc(1.0, 1.0, x), 0.0, 0.0, 1.0),
        (lambda x: sp.betainc(2.0, 1.0, x), 1.0, 1.0, 2.0),
        (lambda x: sp.logsumexp(mnp.stack([x, x])), 1e4, 10000.693147, 1.0),
    ],
)
def test_edges(f: Any, at: float, value: float, slope: float) -> None:
    """Values and slopes at the edges, the kinks and far out; both modes agree."""
    x = np.asarray(at)
    y, y_dot = jax.jvp(f, (x,), (np.ones(()),))
    np.testing.assert_allclose([y, y_dot], [value, slope], rtol=1e-6)
    np.testing.assert_allclose(jax.grad(f)(x), slope, rtol=1e-6)


def test_the_normal_tails_in_float32() -> None:
    """√(2/π)/erfcx keeps its digits where differences of logarithms would have lost them all."""
    for x, slope in ((-1e4, 10000.0), (-20.0, 20.0497), (0.0, 0.7978846), (15.0, 0.0), (1e4, 0.0)):
        np.testing.assert_allclose(jax.grad(sp.log_ndtr)(np.float32(x)), slope, rtol=1e-5, atol=1e-30)


def test_curvature_at_zero() -> None:
    for f, second, third in ((sp.i0, 0.5, 0.0), (sp.i1, 0.0, 0.375)):
        x = np.asarray(0.0)
        np.testing.assert_allclose(jax.grad(jax.grad(f))(x), second, atol=1e-15)
        np.testing.assert_allclose(jax.grad(jax.grad(jax.grad(f)))(x), third, atol=1e-15)


REFUSALS = [
    (lambda a: sp.gammainc(a, 1.0), "gammainc: the derivative by its first argument (the order) has no closed form"),
    (lambda a: sp.gammaincc(a, 1.0), "gammaincc: the derivative by its first argument (the order) has no closed form"),
    (
        lambda a: sp.betainc(a, 1.0, 0.5),
        "betainc: the derivative by its first argument (a parameter) has no closed form",
    ),
    (
        lambda b: sp.betainc(1.0, b, 0.5),
        "betainc: the derivative by its second argument (a parameter) has no closed form",
    ),
    (lambda x: sp.zeta(x, 1.0), "zeta: the derivative by its first argument (the exponent) has no closed form"),
]


@pytest.mark.parametrize(("f", "text"), REFUSALS, ids=lambda x: x[:12] if isinstance(x, str) else "")
def test_refusals(f: Any, text: str) -> None:
    for derive in (lambda: jax.grad(f)(2.0), lambda: jax.jvp(f, (2.0,), (1.0,))):
        with pytest.raises(NotDifferentiableError) as caught:
            derive()
        assert str(caught.value).startswith(text + "\n")


def test_dtypes() -> None:
    assert sp.gammainc(2, 1).dtype == sp.betainc(1, 2, np.ones(2, "float32")).dtype == mnp.float32
    assert sp.zeta(2.0, np.ones(2)).dtype == sp.ndtr(np.ones(2)).dtype == mnp.float64
    assert sp.gamma(np.arange(3)).dtype == sp.i0(True).dtype == sp.ndtr(1).dtype == mnp.float32
    with pytest.raises(DtypeError, match="zeta does not take complex64"):
        sp.zeta(1j, 2.0)
    with pytest.raises(DtypeError, match="gamma does not take complex64"):
        sp.gamma(1j)


def test_errors() -> None:
    with pytest.raises(ArgumentError, match="polygamma: the order must be an integer, 0 or more, got -1"):
        sp.polygamma(-1, 1.0)
    with pytest.raises(ArgumentError, match="multigammaln: the dimension must be a positive integer, got 0"):
        sp.multigammaln(1.0, 0)
