"""What holds for every test: graphs are checked after each pass, and a test process uses one BLAS thread."""

import os

import pytest

# before minigrad and NumPy are loaded, which read them then
os.environ.setdefault("MINIGRAD_CHECK", "1")
# several processes with as many threads as cores would wait for one another
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

pytest_plugins = ["minigrad.testing.pytest_plugin", "pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write golden texts anew instead of comparing with them")
