"""The elementary functions are within 4 ulp of the true value over the whole range, its ends right."""

import numpy as np
import pytest

from minigrad import backends
from minigrad.ops import elementwise as e
from minigrad.ops import special
from minigrad.testing.accuracy import NO_WIDER, every_float32, measure, some_float64, truths
from minigrad.types import FLOAT32, FLOAT64
from tests.graph.programs import graph_of

BOUND = 4.0
NAMES = sorted(truths())


@pytest.mark.parametrize("name", NAMES)
def test_float32(name: str) -> None:
    """Over all bit patterns, in strides: every sign, exponent, infinity and nan is among them."""
    assert measure(name, FLOAT32, every_float32(9973)).ulp <= BOUND


@pytest.mark.parametrize("name", [n for n in NAMES if n not in NO_WIDER])
@pytest.mark.skipif(np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps, reason="no wider floats here")
def test_float64(name: str) -> None:
    assert measure(name, FLOAT64, some_float64(1)).ulp <= BOUND


@pytest.mark.parametrize("name", NAMES)
def test_ends(name: str) -> None:
    x = np.ones(1 << 16)
    ends = [np.inf, -np.inf, np.nan, 0, -0.0, 5e-324, -5e-324, -1, 709.78, 710, -745.13, -746, 1e308, -1e308]
    x[: len(ends)] = ends
    assert measure(name, FLOAT64, iter([x])).ulp <= (BOUND if name not in NO_WIDER else 10)


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh", "sin", "erf"])
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    op = getattr(special if name.startswith("erf") else e, name)
    for dtype in ("f32", "f64"):
        x = np.array([0.0, -0.0], {"f32": "f4", "f64": "f8"}[dtype])
        (y,) = backends.compile(graph_of(lambda x: op(x), f"{dtype}[2]"), "llvm")([x])
        assert (np.signbit(y) == [False, True]).all() and (y == 0).all()
