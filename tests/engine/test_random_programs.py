"""Random programs give what the reference gives, on the compiled backends: see `random_programs`."""

from collections.abc import Iterator
from random import Random
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from minigrad import config, tree
from minigrad.loops import parallel, split, vectors
from minigrad.tracer import jit
from tests.engine.random_programs import Program, draw
from tests.engine.test_tails import cut_small

# Roundings may differ by this many ulps of the largest magnitude that was met on the way: the steps do not let errors
# grow, but sums of many terms add some. Derivatives have them times the magnitudes once more. Where many updates are
# added to one place, each may be rounded in turn: n eps sum |x| (Higham, Accuracy and Stability, 4.2).
ULPS = 512.0


def check(p: Program, backend: str) -> None:
    """The backend agrees with the reference, changes no input, and gives the same bits twice."""
    kept = [x.copy() for x in p.inputs]
    wanted = results(p, "numpy")
    compiled = jit(p.__call__, backend=backend)
    found = [np.asarray(y) for y in tree.leaves(compiled(*p.inputs))]
    again = [np.asarray(y) for y in tree.leaves(compiled(*p.inputs))]
    for k, (y, want, twice) in enumerate(zip(found, wanted, again, strict=True)):
        assert (y.shape, y.dtype) == (want.shape, want.dtype), f"output {k}"
        assert y.tobytes() == twice.tobytes(), f"output {k}: two runs give other bits"
        with np.errstate(all="ignore"):
            size = np.abs(want[np.isfinite(want)]).max(initial=p.scale) if y.dtype.kind == "f" else 0.0
            fine = (y == want) | (np.isnan(y) & np.isnan(want)) if y.dtype.kind == "f" else y == want
            size *= p.scale if p.differentiated is not None else 1.0
            fine |= np.abs(y - want) <= (ULPS + p.terms) * p.eps * size if y.dtype.kind == "f" else False
        assert fine.all(), f"output {k}: {y[~fine][:4]} instead of {want[~fine][:4]}, scale {size}\n{p}"
    for x, before in zip(p.inputs, kept, strict=True):
        assert x.tobytes() == before.tobytes(), "an input was written"


def results(p: Program, backend: str) -> list[Any]:
    return [np.asarray(y) for y in tree.leaves(jit(p.__call__, backend=backend)(*p.inputs))]


RANDOM = st.randoms(use_true_random=False)
QUIET = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example]


@pytest.fixture(params=["as is", "on threads"])
def divided(request, monkeypatch) -> Iterator[None]:
    """Kernels of any size in blocks, too; not what the cache has of the same graphs as they are."""
    if request.param == "on threads":
        monkeypatch.setattr(parallel, "WORTH", 64)
        monkeypatch.setattr(split, "WORTH", 64)
        monkeypatch.setattr(split, "_GRAIN", 16)
        monkeypatch.setattr(vectors, "_TURNED", 16)
        cut_small(monkeypatch)
    with config.cache.using(request.param == "as is"):
        yield


@settings(max_examples=40, deadline=None, suppress_health_check=[*QUIET, HealthCheck.function_scoped_fixture])
@given(RANDOM)
@pytest.mark.usefixtures("divided")
def test_llvm(random: Random) -> None:
    check(draw(random), "llvm")


@settings(max_examples=25, deadline=None, suppress_health_check=QUIET)
@given(RANDOM)
def test_numba_without_compiling(random: Random) -> None:
    check(draw(random, most=10, long=False), "numba")


@pytest.mark.slow
@pytest.mark.parametrize("first", [0, 1000])
@pytest.mark.usefixtures("divided")
def test_larger_programs_on_llvm(first: int) -> None:
    for seed in range(first, first + 60):
        check(draw(Random(seed), most=40), "llvm")
