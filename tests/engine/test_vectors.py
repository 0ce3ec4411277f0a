"""Loops in vectors: every extent around the sizes of vectors, every step between elements, every kind of element."""

from collections.abc import Callable
from typing import Any

import pytest

import minigrad.numpy as mnp
from minigrad.loops.index import Affine, variable
from minigrad.loops.nest import Loop, Store, Update
from minigrad.loops.scalar import Scalar, call, const, load
from minigrad.loops.vectors import vectors
from minigrad.types import BOOL, FLOAT32, FLOAT64, INT64, LONG
from tests.borders import borders, untouched  # noqa: F401
from tests.engine.agreement import agrees
from tests.graph.programs import draw_inputs, graph_of
from tests.narrower import narrower  # noqa: F401

EXTENTS = [*range(1, 20), 31, 32, 33, 47, 63, 64, 65, 127, 130, 200]
PROGRAMS: dict[str, tuple[Callable[..., Any], str]] = {
    "map": (lambda x: x * 2.0 + 1.0, "f32"),
    "long map": (lambda x: mnp.tanh(x) * mnp.exp(-x * x), "f32"),
    "reversed": (lambda x: x[::-1] - x, "f32"),
    "every second": (lambda x: x[::2] * 3.0, "f32"),
    "every third": (lambda x: mnp.exp(x[1::3]) * 0.5 + x[1::3], "f32"),
    "sum": (lambda x: mnp.sum(x * x), "f64"),
    "max": (lambda x: mnp.max(x), "f32"),
    "positions": (lambda x: mnp.argmax(x), "f32"),
    "any and all": (lambda x: (mnp.any(x > 1.0), mnp.all(x > -3.0), x > 0.0), "f32"),
    "two widths": (lambda x: mnp.sum(mnp.astype(x, mnp.float64)) + x, "f32"),
    "bytes": (lambda x: (x // 3 + x % 3, mnp.prod(x % 2 + 1)), "i8"),
    "wide integers": (lambda x: mnp.where(x > 0, x // 7, -x), "i64"),
    "two stacked": (lambda x: mnp.stack([x, mnp.exp(x)], -1), "f32"),
    "three stacked": (lambda x: mnp.stack([x, -x, x * x], -1), "i8"),
    "four stacked": (lambda x: mnp.stack([x > 0, x < 1, x == 1, x != 2], -1), "f64"),
    "masks repeated": (lambda x: (mnp.repeat(x > 0, 2), mnp.stack([mnp.astype(x > 1, mnp.int8)] * 3, -1)), "f32"),
    "bytes repeated": (lambda x: mnp.repeat(mnp.astype(x, mnp.bool), 2), "u8"),
    "short integers": (lambda x: mnp.stack([x, -x, x * x], -1), "i16"),
    "repeated": (lambda x: mnp.repeat(x + 1.0, 3), "f64"),
    "taken": (lambda x: x[mnp.astype(mnp.abs(x * 3.0), mnp.int32)] * 2.0 + x, "f32"),  # some of it beyond the end
    "bytes taken": (lambda x: (x[x] + x, (x > 3)[x]), "u8"),
    "taken from rows": (lambda x: mnp.stack([x, -x])[x % 2, x % 3], "i64"),
    "searched": (lambda x: mnp.searchsorted(mnp.sort(x), x * 0.5), "f32"),
    "counted": (lambda x: mnp.histogram(x, mnp.arange(-2.0, 3.0))[0], "f64"),
    "rows": (lambda x: mnp.exp(x[None, :] - mnp.max(x)) / mnp.arange(1.0, 4.0)[:, None], "f32"),
}  # fmt: skip


@pytest.mark.usefixtures("borders")
@pytest.mark.parametrize("name", PROGRAMS)
def test_every_extent(name: str) -> None:
    f, dtype = PROGRAMS[name]
    for n in EXTENTS:
        g = graph_of(f, f"{dtype}[{n}]")
        agrees(g, draw_inputs(g, special=False), "llvm", ulps=2**7)


@pytest.mark.usefixtures("narrower", "borders")
def test_narrower_machines() -> None:
    for f, dtype in PROGRAMS.values():
        for n in (5, 23, 64):
            g = graph_of(f, f"{dtype}[{n}]")
            agrees(g, draw_inputs(g, special=False), "llvm", ulps=2**7)
    masks_around_a_call("f32")


@pytest.mark.usefixtures("borders")
@pytest.mark.parametrize("dtype", ["f32", "f64"])
def test_masks_that_are_kept_around_a_call(dtype: str) -> None:
    masks_around_a_call(dtype)


def masks_around_a_call(dtype: str) -> None:
    """The remainder calls C's for the greatest quotients; the lanes of the bytes that are stored must outlive that."""
    step = lambda x: x[:, 1:] - x[:, :-1]
    for n in range(4, 40):
        g = graph_of(lambda x: (step(x) % 3.0, step(x) > 0, step(x) < 1, step(x) % 3.0 > 1), f"{dtype}[7,{n}]")
        agrees(g, draw_inputs(g, special=False), "llvm", ulps=2**7)
        assert untouched(), n


@pytest.mark.parametrize(("wide", "narrow"), [("i64", "i32"), ("i64", "u8"), ("f32", "i16"), ("i16", "i8")])
def test_what_is_narrowed_is_stored_in_its_own_bytes(wide: str, narrow: str) -> None:
    """The columns beside those that are set stay as they were, also where one element is left over for each row."""
    for n in (3, 5, 9, 17, 33, 65):
        program = lambda x, y: y.at[:, :n].set(mnp.astype(x * 2, LONG[narrow]))  # noqa: B023
        g = graph_of(program, f"{wide}[3,{n}]", f"{narrow}[3,{n + 5}]")
        agrees(g, draw_inputs(g, special=False), "llvm")


# ── what is in vectors, and what is not ──────────────────────────────────────────────────────────
I, J = variable(0), variable(1)
X = load(1, I, FLOAT32)


def store(value: Scalar, to: Affine = I, **more: Any) -> Loop:
    return Loop(0, 100, (Store(0, to, value, **more),))


def test_what_is_told_of_a_loop() -> None:
    how = vectors(store(X + load(2, J, FLOAT32)), 64)
    assert how is not None
    assert (how.lanes, how.unroll, len(how.uniform)) == (16, 1, 1)
    total = vectors(Loop(0, 100, (Update(0, "add", X),)), 64)
    assert total is not None
    assert total.unroll == 4
    many = vectors(Loop(0, 100, tuple(Update(k, "add", load(k, I, FLOAT32)) for k in range(9))), 64)
    assert many is not None
    assert many.unroll == 1  # more accumulators than there are registers
    wide = vectors(store(Scalar("convert", (X,), FLOAT64)), 32)
    assert wide is not None
    assert wide.lanes == 4
    few = vectors(Loop(0, 5, (Store(0, I, X),)), 64)
    assert few is not None
    assert few.lanes == 8


def test_what_fills_the_gaps_is_stored_together() -> None:
    """All that lies between a pass's first element and the next pass's; if anything is missing there it has a gap."""
    twice = tuple(Store(0, I.scaled(2).shifted(k), X) for k in (1, 0))
    found = vectors(Loop(0, 100, (*twice, Store(2, I, X))), 64)
    assert found is not None
    assert found.woven == {0: twice[::-1]}


def anywhere(start: Affine) -> Scalar:
    """Something made of an element that so much lies behind a place."""
    x = Scalar("load", (load(2, I, INT64),), FLOAT32, (1, start, (1,)))
    return (x * 2.0 + 1.0) * x + 3.0


SCALAR = {
    "leaves a gap": Loop(0, 100, tuple(Store(0, I.scaled(3).shifted(k), X) for k in (0, 1))),
    "reads where it fills gaps": Loop(0, 100, tuple(Store(1, I.scaled(2).shifted(k), X) for k in (0, 1))),
    "fills gaps twice": Loop(0, 100, tuple(Store(0, I.scaled(2).shifted(k), X) for k in (0, 1, 1))),
    "holds a loop": Loop(0, 9, (store(X),)),
    "stores apart": store(X, I.scaled(2)),
    "stores in one place": store(X, J),
    "stores twice into the same places": Loop(0, 100, (Store(0, I, X), Store(0, I.shifted(99), X))),
    "stores where data points": store(X, I, at=(load(2, I, INT64),), steps=(1,)),
    "reads where data points": store(Scalar("load", (load(2, I, INT64),), FLOAT32, (1, Affine(), (1,)))),
    "reads where data points, from another place in each pass": store(anywhere(I)),
    "reads what it has stored": store(X + load(0, I.shifted(-1), FLOAT32)),
    "reads its own accumulator": Loop(0, 9, (Update(0, "add", X + Scalar("accumulator", (), FLOAT32, 0)),)),
    "calls a library": store(call("sin", X)),
    "divides integers by data": store(Scalar("rem", (load(1, I, INT64), load(2, I, INT64)), INT64)),
    "two passes only": Loop(0, 2, (Store(0, I, X),)),
    "reads far apart and does little": store(load(1, I.scaled(50), FLOAT32)),
}


@pytest.mark.parametrize("reason", SCALAR)
def test_what_stays_scalar(reason: str) -> None:
    assert vectors(SCALAR[reason], 64) is None


def test_what_lies_far_enough_apart_or_anywhere_may_be_read() -> None:
    assert vectors(Loop(0, 100, (Store(0, I, X), Store(0, I.shifted(100), X))), 64) is not None
    assert vectors(store(X + load(0, I.shifted(-100), FLOAT32)), 64) is not None
    assert vectors(store(X + load(0, I, FLOAT32)), 64) is not None
    assert vectors(store(Scalar("rem", (load(1, I, INT64), const(7, INT64)), INT64)), 64) is not None
    assert vectors(store(anywhere(J)), 64) is not None
    assert vectors(Loop(0, 100, (Update(0, "or", Scalar("gt", (X, X.const(0.0)), BOOL)),)), 64) is not None
