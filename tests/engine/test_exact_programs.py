"""Random programs on whole numbers give what eager evaluation gives, to the last one, and write nowhere else."""

from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from minigrad import config, tree
from minigrad.backends import llvm, outputs
from minigrad.backends.outputs import Outputs
from minigrad.op import Array
from minigrad.tracer import jit
from tests.engine.exact_programs import draw
from tests.engine.test_random_programs import QUIET, RANDOM, divided  # noqa: F401

_BORDER, _MARK = 512, 0xA5
CHECKS = [*QUIET, HealthCheck.function_scoped_fixture]


@pytest.fixture(autouse=True)
def borders(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Memory for outputs and intermediates lies between bytes that nobody may write."""
    made: list[np.ndarray] = []

    def bordered(size: int) -> np.ndarray:
        whole = np.full(size + 2 * _BORDER + 64, _MARK, np.uint8)
        start = _BORDER + -(whole.ctypes.data + _BORDER) % 64
        made.extend((whole[:start], whole[start + size :]))
        return whole[start : start + size]

    def arrays(self: Outputs) -> list[np.ndarray]:
        return [np.ndarray(shape, dtype, bordered(size)) for shape, dtype, size in self._wanted]

    monkeypatch.setattr(llvm, "arena", bordered)
    monkeypatch.setattr(outputs.Outputs, "arrays", arrays)
    yield made


def check(random: Random, backend: str, made: list[np.ndarray], most: int = 14) -> None:
    made.clear()
    inputs, program, wanted = draw(random, most)
    given = tuple(k for k in range(len(inputs)) if random.random() < 0.3)
    f = lambda *xs: program.run(xs, wanted)
    with np.errstate(all="ignore"):
        eager = [np.asarray(y) for y in f(*map(Array, inputs))]
    before = [x.tobytes() for x in inputs]
    found = [np.asarray(y) for y in tree.leaves(jit(f, backend=backend)(*inputs))]
    owned = [np.asarray(y) for y in jit(f, backend=backend, donate_argnums=given)(*[Array(x.copy()) for x in inputs])]
    shown = "\n".join([f"v{k} = {x.dtype}{list(x.shape)}" for k, x in enumerate(inputs)]) + f"\n{program}"
    for k, y, again, want in zip(wanted, found, owned, eager, strict=True):
        assert (y.shape, y.dtype) == (again.shape, again.dtype) == (want.shape, want.dtype), f"v{k}\n{shown}"
        same = [(a == want) | ((a != a) & (want != want)) for a in (y, again)]
        assert np.all(same), f"v{k}: {y} (donated: {again}) instead of {want}\n{shown}"
    assert before == [x.tobytes() for x in inputs], f"an input was written\n{shown}"
    assert all((part == _MARK).all() for part in made), f"memory beside an array was written\n{shown}"


@settings(max_examples=80, deadline=None, suppress_health_check=CHECKS)
@given(RANDOM)
@pytest.mark.usefixtures("divided")
def test_llvm(borders: list[np.ndarray], random: Random) -> None:
    check(random, "llvm", borders)


@settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
@given(RANDOM)
def test_numba_without_compiling(borders: list[np.ndarray], random: Random) -> None:
    with config.jit.using(False):
        check(random, "numba", borders, most=8)


@pytest.mark.slow
def test_many_on_llvm(borders: list[np.ndarray]) -> None:
    for seed in range(1500):
        check(Random(seed), "llvm", borders)
