"""What holds for every test: graphs are checked, numba's kernels run as Python, BLAS has one thread in a test process."""

import os

import pytest

# before minigrad and NumPy are loaded, which read them then
os.environ.setdefault("MINIGRAD_CHECK", "1")
# compiling with numba takes 0.1 s a kernel and more: its kernels run as Python, except in tests of the compiled ones
os.environ.setdefault("MINIGRAD_JIT", "0")
# several processes with as many threads as cores would wait for one another
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = ["minigrad.testing.pytest_plugin", "pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write golden texts anew instead of comparing with them")
