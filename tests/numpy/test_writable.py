"""`writable`: code that assigns to arrays, as a pure function."""

from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.tracer as jax
from minigrad.errors import MinigradError
from minigrad.testing import check_grads


def clipped_differences(x: Any) -> Any:
    """Assigns to a slice, to one element and by a mask, as array code for the standard does."""
    y = x.__array_namespace__().zeros_like(x)
    y[1:] = x[1:] - x[:-1]
    y[0] = x[0] * 2.0
    y[y < 0.0] = 0.0
    return y * x


pure = mnp.writable(clipped_differences)
X = np.array([1.0, 3.0, 2.0, 5.0])


def test_it_computes_what_the_assignments_say() -> None:
    expected = np.array([2.0, 2.0, 0.0, 3.0]) * X
    np.testing.assert_allclose(np.asarray(pure(mnp.asarray(X))), expected)
    np.testing.assert_allclose(np.asarray(jax.jit(pure)(X)), expected)
    np.testing.assert_allclose(np.asarray(jax.vmap(pure)(np.stack([X, X]))), np.stack([expected, expected]))


def test_it_has_derivatives() -> None:
    check_grads(pure, (X,), order=2)


def test_the_argument_is_not_written() -> None:
    x = mnp.asarray(X)

    def overwrite(a: Any) -> Any:
        a[0] = 7.0
        return a

    assert mnp.writable(overwrite)(x).tolist() == [7.0, 3.0, 2.0, 5.0]
    assert x.tolist() == X.tolist()


def test_a_key_out_of_range_is_an_error() -> None:
    def wrong(a: Any) -> Any:
        a[9] = 0.0
        return a

    with pytest.raises(MinigradError, match="index: 9 is out of range for axis 0"):
        mnp.writable(wrong)(mnp.asarray(X))
