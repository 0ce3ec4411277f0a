"""The llvm backend gives what the reference gives: on every op, random programs, models, special values and dtypes."""


import numpy as np
import pytest
from hypothesis import given, settings

from minigrad import backends
from minigrad.graph import Graph
from minigrad.types import real_of
from tests.graph.programs import CONSTANTS, HOLDING, const_graph, draw_inputs, graphs, op_graphs

OPS = dict(op_graphs())
# Each elementary function is within 4 ulp of the true value, and so is the reference's; sums may be taken in any order.
ULPS = 64


def same(y: np.ndarray, want: np.ndarray, ulps: float = ULPS) -> None:
    """Equal; floats within some ulps of the largest number that took part, nan with nan, inf with inf."""
    assert type(y) is np.ndarray and (y.shape, y.dtype) == (want.shape, want.dtype)
    if y.dtype.kind not in "fc":
        np.testing.assert_array_equal(y, want)
        return
    with np.errstate(all="ignore"):
        near = np.abs(y - want) <= ulps * np.finfo(real_of(y.dtype)).eps * np.abs(want)
        fine = near | (y == want) | (np.isnan(y) & np.isnan(want))
    assert fine.all(), f"{y[~fine][:5]} instead of {want[~fine][:5]}"


def agrees(g: Graph, inputs: list[np.ndarray], ulps: float = ULPS, optimize: bool = False) -> None:
    """llvm and numpy give the same; inputs stay as they are, outputs are the caller's own."""
    kept = [a.copy() for a in inputs]
    wanted = backends.compile(g, "numpy", optimize=optimize)(inputs)
    outputs = backends.compile(g, "llvm", optimize=optimize)(inputs)
    for y, want in zip(outputs, wanted, strict=True):
        same(y, want, ulps)
    for a, b in zip(inputs, kept, strict=True):
        np.testing.assert_array_equal(a, b)
    for i, y in enumerate(outputs):
        assert y.flags.writeable
        assert not any(np.shares_memory(y, other) for other in (*inputs, *outputs[:i]))


@given(graphs())
@settings(max_examples=60, deadline=None)
def test_random_graphs(g: Graph) -> None:
    agrees(g, draw_inputs(g), ulps=2**14)


@pytest.mark.parametrize("name", OPS)
def test_every_op(name: str) -> None:
    agrees(OPS[name], draw_inputs(OPS[name], special=False))


@pytest.mark.parametrize("name", HOLDING)
def test_held_graphs(name: str) -> None:
    agrees(HOLDING[name], draw_inputs(HOLDING[name], special=False))


@pytest.mark.parametrize("array", CONSTANTS, ids=lambda a: f"{a.dtype}-{a.shape}")
def test_constants(array: np.ndarray) -> None:
    g = const_graph(array)
    agrees(g, draw_inputs(g))
