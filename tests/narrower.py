"""Programs for a machine with narrower vectors: a fixture."""

from collections.abc import Iterator

import llvmlite.binding as llvm
import pytest

from minigrad import config
from minigrad.backends import native


@pytest.fixture(params=[(16, ""), (32, "+avx2,+fma")], ids=str)
def narrower(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Programs for a machine with such vectors, and for what else it can do: with the registers for masks of this one,
    LLVM would make wider masks of those of few lanes (see `Lanes.masked`)."""
    width, features = request.param
    _, options = native._compiler()
    features = features if llvm.get_host_cpu_features().get("avx2") else ""
    machine = llvm.Target.from_default_triple().create_target_machine(features=features, opt=1, jit=True)
    monkeypatch.setattr(native, "_compiler", lambda: (machine, options))
    monkeypatch.setattr(native, "vector_bytes", lambda: width)
    native.native.cache_clear()
    with config.cache.using(False):  # which would give what was compiled for this machine
        yield
    native.native.cache_clear()
