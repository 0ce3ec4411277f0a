"""The elementary functions are within 4 ulp of the true value (erfc: 4.5), over the whole range, its ends right."""

import numpy as np
import pytest
import scipy.special

from minigrad import backends
from minigrad.ops import elementwise as e
from minigrad.ops import special
from tests.graph.programs import graph_of

BOUND = 4.0
LOOSER = {"erfc": 4.5}


def logistic(x: np.ndarray) -> np.ndarray:
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1, small) / (1 + small)


NUMPY = {name: getattr(np, name) for name in ("exp", "exp2", "expm1", "log", "log1p", "tanh", "sin", "cos")}
EXACT = {**NUMPY, "logistic": logistic, "erf": scipy.special.erf, "erfc": scipy.special.erfc}
EIGHTY_BITS = [n for n in EXACT if n not in ("sin", "cos", "erf", "erfc")]


def largest_error(name: str, x: np.ndarray, wide: type) -> float:
    """In ulp of the rounded true value; what is not finite must be exactly right."""
    op = getattr(special if name.startswith("erf") else e, name)
    (y,) = backends.compile(graph_of(lambda x: op(x), f"f{x.itemsize * 8}[{x.size}]"), "llvm")([x])
    with np.errstate(all="ignore"):
        truth = EXACT[name](x.astype(wide))
        rounded = truth.astype(x.dtype)
        finite = np.isfinite(rounded) & np.isfinite(truth)
        np.testing.assert_array_equal(y[~finite], rounded[~finite])
        ulp = np.spacing(np.abs(rounded[finite])).astype(wide)
        return float((np.abs(y[finite].astype(wide) - truth[finite]) / ulp).max())


@pytest.mark.parametrize("name", EXACT)
def test_float32(name: str) -> None:
    """Over all bit patterns, in strides: every sign, exponent, infinity and nan is among them."""
    x = np.arange(0, 2**32, 9973, dtype=np.uint64).astype(np.uint32).view(np.float32)
    x = np.concatenate([x, np.float32([np.inf, -np.inf, 0, -0.0])])
    assert largest_error(name, x, np.float64) <= LOOSER.get(name, BOUND)


@pytest.mark.parametrize("name", EIGHTY_BITS)
@pytest.mark.skipif(np.finfo(np.longdouble).eps >= np.finfo(np.float64).eps, reason="no wider floats here")
def test_float64(name: str) -> None:
    rng = np.random.default_rng(0)
    wide = rng.normal(size=40_000) * 10.0 ** rng.uniform(-300, 300, 40_000)
    near = [rng.uniform(-30, 30, 40_000), rng.uniform(-750, 750, 20_000), rng.uniform(-1, 2, 20_000)]
    x = np.concatenate([wide, *near, [np.inf, -np.inf, np.nan, 0, -0.0, 5e-324, -1, 709.78, -745.13]])
    assert largest_error(name, x, np.longdouble) <= BOUND


@pytest.mark.parametrize("name", [n for n in EXACT if n not in ("exp", "exp2", "log", "cos", "logistic", "erfc")])
def test_odd_functions_keep_the_sign_of_zero(name: str) -> None:
    op = getattr(special if name.startswith("erf") else e, name)
    for dtype in ("f32", "f64"):
        x = np.array([0.0, -0.0], {"f32": "f4", "f64": "f8"}[dtype])
        (y,) = backends.compile(graph_of(lambda x: op(x), f"{dtype}[2]"), "llvm")([x])
        assert (np.signbit(y) == [False, True]).all() and (y == 0).all()
