"""Random programs on whole numbers give what eager evaluation gives, to the last one, and write nowhere else."""

from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from minigrad import config, tree
from minigrad.op import Array
from minigrad.tracer import jit
from tests.borders import borders, untouched  # noqa: F401
from tests.engine.exact_programs import draw
from tests.engine.test_random_programs import QUIET, RANDOM, divided  # noqa: F401

pytestmark = pytest.mark.usefixtures("borders")
CHECKS = [*QUIET, HealthCheck.function_scoped_fixture]


def check(random: Random, backend: str, most: int = 14) -> None:
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
    assert untouched(), shown


@settings(max_examples=80, deadline=None, suppress_health_check=CHECKS)
@given(RANDOM)
@pytest.mark.usefixtures("divided")
def test_llvm(random: Random) -> None:
    check(random, "llvm")


@settings(max_examples=25, deadline=None, suppress_health_check=CHECKS)
@given(RANDOM)
def test_numba_without_compiling(random: Random) -> None:
    with config.jit.using(False):
        check(random, "numba", most=8)


@pytest.mark.slow
def test_many_on_llvm() -> None:
    for seed in range(1500):
        check(Random(seed), "llvm")
