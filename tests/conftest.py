"""What holds for every test: graphs are checked after each pass, a test process uses one BLAS thread, compiled programs
are kept for this run alone, and numba's kernels run as Python except where a test is about the compiled ones.
"""

import os
import tempfile

import pytest

# before minigrad and NumPy are loaded, which read them then
os.environ.setdefault("MINIGRAD_CHECK", "1")
# compiling with numba takes 0.1 s a kernel and more
os.environ.setdefault("MINIGRAD_JIT", "0")
# several processes with as many threads as cores would wait for one another
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("MINIGRAD_NUM_THREADS", "1")
_folder = tempfile.TemporaryDirectory(prefix="minigrad-tests-")
os.environ["MINIGRAD_CACHE_DIR"] = _folder.name

pytest_plugins = ["minigrad.testing.pytest_plugin", "pytester"]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--accept", action="store_true", help="write golden texts anew instead of comparing with them")
