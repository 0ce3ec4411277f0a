"""The strategies draw what they promise, and say what is missing when hypothesis is."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, find, given, settings
from hypothesis import strategies as st

from minigrad import numpy as mnp
from minigrad import tree
from minigrad.testing import strategies
from minigrad.testing.laws import LAYOUTS, laid_out

FAST = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), database=None)


@FAST
@given(st.data())
def test_shapes_that_broadcast_do(data: st.DataObject) -> None:
    np.broadcast_shapes(*data.draw(strategies.broadcastable(3)))


@FAST
@given(st.data(), st.sampled_from(strategies.DTYPES))
def test_arrays_have_the_dtype_and_lie_in_the_domain(data: st.DataObject, dtype: str) -> None:
    x = data.draw(strategies.arrays(dtype=dtype, domain=(0, 2), special=True))
    assert x.dtype == dtype and x.ndim <= 3
    assert np.all((np.real(x) >= 0) & (np.real(x) <= 2))


@pytest.mark.parametrize(
    "wanted",
    [
        lambda x: x.ndim == 0,
        lambda x: x.ndim > 1 and x.size == 0,
        lambda x: x.size and min(x.strides, default=0) < 0,
        lambda x: x.size > 1 and 0 in x.strides,
        lambda x: x.size > 1 and not x.flags.c_contiguous and min(x.strides) > 0,
        lambda x: np.any(np.isnan(x)),
        lambda x: np.any((x == 0) & np.signbit(x)),
        lambda x: np.any(x == 1000),
    ],
    ids=["scalar", "empty", "reversed", "broadcast", "strided", "nan", "negative zero", "1000"],
)
def test_arrays_of_every_sort_are_found(wanted: object) -> None:
    drawn = strategies.arrays(domain=(-2000, 2000), special=True, nonfinite=True)
    find(drawn, wanted, settings=settings(max_examples=3000, deadline=None, database=None))  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (0, 2)])
def test_a_layout_keeps_the_numbers(shape: tuple[int, ...], layout: str) -> None:
    x = np.arange(np.prod(shape), dtype=float).reshape(shape)
    y = laid_out(x, layout)
    assert y.shape == x.shape and np.array_equal(x, y)


@FAST
@given(strategies.pytrees(st.integers()))
def test_trees_are_trees(drawn: object) -> None:
    leaves, structure = tree.flatten(drawn)
    assert all(isinstance(leaf, int) for leaf in leaves) and structure.unflatten(leaves) == drawn


@FAST
@given(strategies.functions(count=2))
def test_a_function_prints_as_what_it_computes(f: strategies.Program) -> None:
    xs = (mnp.asarray([0.5, 2.0], dtype="float64"), mnp.asarray(-1.5, dtype="float64"))
    assert mnp.array_equal(eval(repr(f), vars(mnp).copy())(*xs), f(*xs))


@FAST
@given(strategies.functions(count=2, scalar=True), st.data())
def test_a_scalar_function_of_any_broadcast_is_a_finite_scalar(f: strategies.Program, data: st.DataObject) -> None:
    first, second = data.draw(strategies.broadcastable(2, min_size=1))
    y = f(*[mnp.asarray(data.draw(strategies.arrays(shape))) for shape in (first, second)])
    assert y.shape == () and np.isfinite(float(y))


@pytest.mark.parametrize(
    ("words", "length"), [(("sin",), 8), (("x1",), 2), (("*", "tanh"), 30), (("cos", "arctan", "+"), 30)]
)
def test_functions_shrink_to_short_expressions(words: tuple[str, ...], length: int) -> None:
    found = find(
        strategies.functions(count=2),
        lambda f: all(word in f.text for word in words),
        settings=settings(max_examples=3000, deadline=None, database=None),
    )
    assert len(found.text) <= length, found


def test_without_hypothesis_there_is_a_clear_error() -> None:
    code = (
        "import sys; sys.modules['hypothesis'] = None\n"
        "from minigrad.testing import check_grads, strategies\n"
        "import minigrad.numpy as mnp; check_grads(mnp.sin, (1.0,))\n"
        "strategies.arrays"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.stderr.strip().splitlines()[-1] == (
        "ModuleNotFoundError: minigrad.testing.strategies needs hypothesis: pip install hypothesis"
    )
