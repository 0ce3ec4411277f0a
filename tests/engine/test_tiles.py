"""What is turned: every order of axes, every kind of element, sizes around those of tiles, whole and in blocks."""

from collections.abc import Iterator
from itertools import permutations
from typing import Any

import pytest

import minigrad.numpy as mnp
from minigrad import config
from minigrad.loops import parallel, split, vectors
from minigrad.loops.index import Affine, variable
from minigrad.loops.nest import Loop, Store
from minigrad.loops.scalar import load
from minigrad.loops.vectors import tiles
from minigrad.types import FLOAT32, FLOAT64, LONG
from tests.borders import borders, untouched  # noqa: F401
from tests.engine.agreement import agrees
from tests.graph.programs import draw_inputs, graph_of
from tests.narrower import narrower  # noqa: F401

KINDS = ["f32", "f64", "i8", "bool", "i16", "i64", "c64"]
SIZES = [(8, 8), (9, 16), (17, 8), (23, 31), (5, 40), (40, 5), (64, 1), (33, 12)]


@pytest.fixture(params=["whole", "in blocks"])
def small(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Tiles for arrays of any size, also where threads share them; not what the cache has of the same graphs."""
    monkeypatch.setattr(vectors, "_TURNED", 1)
    if request.param == "in blocks":
        for module, name, value in ((parallel, "WORTH", 64), (split, "WORTH", 64), (split, "_GRAIN", 16)):
            monkeypatch.setattr(module, name, value)
    with config.cache.using(False):
        yield


def turned(dtype: str, *sizes: tuple[int, int]) -> None:
    for rows, columns in sizes:
        g = graph_of(lambda x: x.T, f"{dtype}[{rows},{columns}]")
        agrees(g, draw_inputs(g), "llvm")
        assert untouched(), (rows, columns)


@pytest.mark.usefixtures("small", "borders")
@pytest.mark.parametrize("dtype", KINDS)
def test_every_kind_of_element(dtype: str) -> None:
    turned(dtype, *SIZES)


@pytest.mark.usefixtures("small", "borders", "narrower")
def test_narrower_machines() -> None:
    for dtype in KINDS:
        turned(dtype, (9, 16), (23, 31))


@pytest.mark.usefixtures("small", "borders")
@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
def test_every_order_of_axes(order: tuple[int, ...]) -> None:
    g = graph_of(lambda x: mnp.permute_dims(x, order), "f32[9,3,10,17]")
    agrees(g, draw_inputs(g), "llvm")


@pytest.mark.usefixtures("small", "borders")
def test_what_is_computed_of_it() -> None:
    """With what lies as the result does, is the same along an axis, or is turned as well; several results."""

    def program(x: Any, y: Any, row: Any, column: Any) -> Any:
        t = x.T
        return mnp.exp(t) * y + row, mnp.where(t > y, t, column[:, None]), t[::-1] - y, t * y.T[: x.shape[1]].T

    g = graph_of(program, "f32[19,21]", "f32[21,19]", "f32[19]", "f32[21]")
    agrees(g, draw_inputs(g, special=False), "llvm", ulps=2**10)


@pytest.mark.usefixtures("borders")
def test_large_ones_are_done_in_blocks_and_go_past_the_caches() -> None:
    for rows, columns in ((1600, 1024), (1031, 19)):
        g = graph_of(lambda x: x.T, f"f32[{rows},{columns}]")
        agrees(g, draw_inputs(g), "llvm")


# ── what is done in tiles, and what is not ───────────────────────────────────────────────────────
I, J, K = variable(0), variable(1), variable(2)


def nest(address: Affine, *, inner: int = 200, to: Affine | None = None, dtype: str = "f32", read: int = 1) -> Loop:
    place = I.scaled(inner) + J if to is None else to
    body = Store(0, place, load(read, address, LONG[dtype]))
    return Loop(0, 200, (Loop(1, inner, (body,)),))


def test_what_is_done_in_tiles() -> None:
    found = tiles(nest(I + J.scaled(200)), 64)
    assert found is not None
    assert (found.how.lanes, found.inner.variable, len(found.loads)) == (8, 1, 1)
    wide = tiles(nest(I + J.scaled(200), dtype="f64"), 32)
    assert wide is not None
    assert wide.how.lanes == 4
    assert tiles(nest(I + J.scaled(200), dtype="f64"), 16) is None  # two lanes
    for far in (1, -1, 2):  # as near as that vectors read it as it lies
        assert tiles(nest(I + J.scaled(far)), 64) is None
    assert tiles(nest(I.scaled(200) + J), 64) is None  # in order
    assert tiles(nest(I.scaled(2) + J.scaled(400)), 64) is None  # in order along neither
    assert tiles(Loop(0, 200, nest(I + J.scaled(200), inner=60).body), 64) is None  # too little
    assert tiles(Loop(0, 6000, nest(I + J.scaled(6000), inner=6).body), 64) is None  # too narrow
    assert tiles(nest(I + J.scaled(200), to=I + J.scaled(200)), 64) is None  # stored out of order
    assert tiles(nest(I + J.scaled(200), read=0), 64) is None  # reads what it writes


def test_loops_between_are_kept() -> None:
    x = load(1, I + K.scaled(10) + J.scaled(1000), FLOAT64)
    inside = Loop(2, 10, (Loop(1, 200, (Store(0, I.scaled(2000) + K.scaled(200) + J, x),)),))
    found = tiles(Loop(0, 100, (inside,)), 64)
    assert found is not None
    assert [loop.variable for loop in found.others] == [2]
    two = Loop(0, 100, (inside, Store(2, I, load(3, I, FLOAT32))))
    assert tiles(two, 64) is None  # more than loops inside
