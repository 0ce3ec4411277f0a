"""What is taken from an elementwise result is computed where it is taken: from operands of any shape, and deep ones."""

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import backends
from minigrad.tracer import jit

RNG = np.random.default_rng(0)
X, LINE, COLUMN = (RNG.normal(size=s) for s in ((6, 40), (40,), (6, 1)))
AT = RNG.integers(-3, 44, (6, 1))  # positions beyond the ends, too


def deep(x, i):
    y = x
    for _ in range(40):
        y = mnp.sin(y)
    return mnp.take_along_axis(y, i, axis=1)


CASES = {
    "a line": (lambda x, b, i: mnp.take_along_axis(mnp.exp(x) + b, i, axis=1), (X, LINE, AT)),
    "a column": (lambda x, c, i: mnp.take_along_axis(mnp.exp(x) * c, i, axis=1), (X, COLUMN, AT)),
    "one that lies otherwise": (lambda x, i: mnp.take_along_axis(mnp.exp(x) * mnp.sin(x.T).T, i, axis=1), (X, AT)),
    "neither whole nor a line": (
        lambda x, y, i: mnp.take_along_axis(mnp.exp(x) + y, i, axis=2),
        (RNG.normal(size=(2, 6, 40)), X, RNG.integers(0, 40, (2, 6, 1))),
    ),
    "nothing": (lambda x, i: mnp.take_along_axis(mnp.exp(x), i, axis=1), (np.zeros((0, 40)), np.zeros((0, 1), int))),
    "deeper than it is worth": (deep, (X, AT)),
}


@pytest.mark.parametrize("backend", [b for b in backends.available() if b != "numpy"])
@pytest.mark.parametrize("case", CASES)
def test_what_is_taken(case: str, backend: str) -> None:
    f, operands = CASES[case]
    expected = np.asarray(jit(f, backend="numpy")(*operands))
    np.testing.assert_allclose(np.asarray(jit(f, backend=backend)(*operands)), expected, rtol=1e-13, atol=1e-15)
