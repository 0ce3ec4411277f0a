"""Every function of minigrad.numpy gives what NumPy gives: eagerly, in a graph, over lanes."""

from __future__ import annotations

import contextlib
import importlib
import inspect
import pkgutil
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.errors import MinigradError, SymbolicSizeError
from minigrad.graph import check, run, specialize
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.numpy.families import FAMILIES
from minigrad.op import Array
from minigrad.ops.table import KINKS
from minigrad.types import Dim, TensorType
from tests.numpy.cases import CASES, DTYPES, Case, draw

# inf and nan speak for themselves; see op.py
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

PAIRS = [(case, dtype) for case in CASES for kind in case.kinds for dtype in DTYPES[kind]]
IDS = [f"{case.name}-{dtype}" for case, dtype in PAIRS]
NAME = lambda case: case.name
# float32 in another order of operations, and NumPy's float64 for what minigrad computes in float32
TOLERANCE = {"float64": 1e-12}


def flat(y: Any) -> list[Any]:
    return list(y) if isinstance(y, (list, tuple)) else [y]


def rng_of(case: Case, dtype: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(f"{case.name} {dtype}".encode()))


def same_values(ys: Any, wanted: Any, dtype: str) -> None:
    ys, wanted = flat(ys), flat(wanted)
    assert len(ys) == len(wanted)
    for y, w in zip(ys, wanted, strict=True):
        w = np.asarray(w)
        assert isinstance(y, Array)
        assert y.shape == w.shape
        assert y.dtype.kind == w.dtype.kind
        if w.dtype.kind in "biu" and w.dtype != np.int8:
            np.testing.assert_array_equal(y, w)
        tolerance = TOLERANCE.get(dtype, 2e-5)
        np.testing.assert_allclose(np.asarray(y), w, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("case", "dtype"), PAIRS, ids=IDS)
def test_as_numpy(case: Case, dtype: str) -> None:
    """Over several random sizes, eagerly and (once) staged."""
    rng = rng_of(case, dtype)
    for _ in range(3):
        xs = draw(case, dtype, rng)
        before = [x.copy() for x in xs]
        with np.errstate(all="ignore"):
            wanted = case.reference(*xs)
            same_values(case.f(mnp, *[Array(x) for x in xs]), wanted, dtype)
        for x, old in zip(xs, before, strict=True):
            np.testing.assert_array_equal(x, old)
    if case.graph:
        types = [TensorType(x.shape, x.dtype) for x in xs]
        graph, _ = trace(lambda *vs: flat(case.f(mnp, *vs)), types)
        same_values(run(check(graph), [Array(x) for x in xs]), wanted, dtype)


@pytest.mark.parametrize("case", [c for c in CASES if c.kinds], ids=NAME)
def test_empty_operands(case: Case) -> None:
    """With axes of size 0: what NumPy gives, or an error of ours."""
    dtype = DTYPES[case.kinds[-1]][0]
    for empty in ("a", "b", "c", "ab", "abc"):
        xs = draw(case, dtype, rng_of(case, dtype), dict.fromkeys(empty, 0))
        try:
            wanted = case.reference(*xs)
        except (ValueError, IndexError, ZeroDivisionError):
            with contextlib.suppress(MinigradError):
                case.f(mnp, *xs)
            continue
        if case.name != "median":  # nan with a warning in NumPy; like quantile, ours has no middle to give
            same_values(case.f(mnp, *[Array(x) for x in xs]), wanted, dtype)


NEED_ARRAYS = {"all-where", "broadcast_to", "unique-rows", "bincount"}  # these lines ask x.shape, or x > 0


@pytest.mark.parametrize("case", [c for c in CASES if c.name not in NEED_ARRAYS], ids=NAME)
def test_lists(case: Case) -> None:
    """Where NumPy takes lists of numbers, as operands, they are taken; of traced numbers, too."""
    dtype = DTYPES[case.kinds[-1].replace("u", "i")][0]
    xs = draw(case, dtype, rng_of(case, dtype), {"a": 3, "b": 2, "c": 2, "d": 2})
    wanted = flat(case.f(mnp, *[mnp.asarray(x.tolist()) for x in xs]))
    for ys in (
        flat(case.f(mnp, *[x.tolist() for x in xs])),
        flat(case.f(mnp, *[list(map(Array, x)) if x.ndim else x.item() for x in xs])),
    ):
        for y, w in zip(ys, wanted, strict=True):
            assert y.shape == w.shape and y.dtype.kind == w.dtype.kind
            np.testing.assert_array_equal(y, w)


# which of their elements there are depends on the size itself
NEED_SIZES = ("median", "quantile", "percentile", "trace", "diag", "searchsorted", "squeeze-all")


@pytest.mark.parametrize("case", [c for c in CASES if c.graph and c.kinds], ids=NAME)
def test_sizes_known_when_fed(case: Case) -> None:
    """A graph with one size unknown, specialised, gives what NumPy gives; or it says which size it needs."""
    dtype, sizes = DTYPES[case.kinds[-1]][0], {"a": 4, "b": 3, "c": 2, "d": 2}
    xs = draw(case, dtype, rng_of(case, dtype), sizes)
    for letter in sorted({"a", "b", "c"} & set(case.operands)):
        words = case.operands.split()
        shapes = [[Dim.symbol(w) if w == letter else n for w, n in zip(word, x.shape)] for word, x in zip(words, xs)]
        types = [TensorType(tuple(shape), x.dtype) for shape, x in zip(shapes, xs)]
        try:
            graph, _ = trace(lambda *vs: flat(case.f(mnp, *vs)), types)
        except SymbolicSizeError:
            assert case.name.startswith(NEED_SIZES)
        else:
            fed = specialize(graph, {letter: sizes[letter]})
            same_values(run(check(fed), [Array(x) for x in xs]), case.reference(*xs), dtype)


@pytest.mark.parametrize("case", [c for c in CASES if c.graph and "f" in c.kinds], ids=NAME)
def test_over_lanes(case: Case) -> None:
    """vmap is the loop over lanes, stacked; the second operand, if any, is shared."""
    xs = draw(case, "float64", rng_of(case, "lanes"))
    first = np.stack([xs[0], xs[0][..., ::-1], xs[0] * 0.9]) if xs[0].ndim else np.stack([xs[0]] * 3)
    rest = [Array(x) for x in xs[1:]]
    ys = batched(lambda *vs: flat(case.f(mnp, *vs)), [Array(first), *rest], [True] + [False] * len(rest), 3)
    loops = [flat(case.f(mnp, Array(lane), *rest)) for lane in first]
    for y, column in zip(ys, zip(*loops, strict=True), strict=True):
        np.testing.assert_allclose(np.asarray(y), np.stack([np.asarray(c) for c in column]), rtol=1e-12, atol=1e-12)


def test_every_function_has_a_case() -> None:
    """A function that no line of the table and no other test calls is not tested."""
    texts = [path.read_text("utf-8") for path in Path(__file__).parent.glob("*.py")]
    names = set(re.findall(r"[A-Za-z_]\w*", " ".join(texts)))
    assert [n for n in mnp.__all__ if inspect.isfunction(getattr(mnp, n)) and n not in names] == []


# what is not about arrays of numbers, and the two of several results, which their docstrings tell apart
APART = (
    "__array_namespace_info__", "astype", "broadcast_shapes", "can_cast", "finfo", "from_dlpack", "histogram",
    "histogram_bin_edges", "iinfo", "iscomplexobj", "isdtype", "isrealobj", "ndim", "result_type", "round", "shape",
    "size", "vectorize", "writable",
)  # fmt: skip


def public(module: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name in module.__all__:
        f = getattr(module, name)
        if inspect.ismodule(f):
            yield from public(f, f"{prefix}{name}.")
        elif inspect.isfunction(f):
            yield prefix + name, f


def test_every_docstring_says_dtypes_derivative_and_errors() -> None:
    """A function is a row of the table of ops, of a family of families.py, or apart; and it shows an example."""
    apart = [getattr(mnp, name) for name in APART]
    for name, f in public(mnp):
        text = inspect.getdoc(f) or ""
        said = [s for s in FAMILIES if s in text.replace("\n", " ")]
        of_row = re.search(r"(Of any shape, element by element|Shapes broadcast, or are a ShapeError)\. Takes ", text)
        assert bool(of_row) + len(said) == (f not in apart), name
        assert ">>> import" in text, name


@pytest.mark.parametrize(("name", "op"), [("maximum", "max"), ("abs", "abs"), ("atan2", "atan2"), ("hypot", "hypot")])
def test_a_kink_is_in_the_docstring(name: str, op: str) -> None:
    assert all(k.why in getattr(mnp, name).__doc__ for k in KINKS if k.op == op)


PROTOCOLS = ("methods", "numpy_calls")  # put on values, not into the namespace


def test_the_namespace_lists_what_its_files_define() -> None:
    """Every public function of the files, under every name it has there."""
    internal = {"named", "unary", "binary", "accumulator", "truth", "shape_of", "check_device", "known", "from_list"}
    internal |= {"tell", "facts", "called", "sizes_of", "fractions", "rows_over", "for_each_fraction"}
    for file in (f.name for f in pkgutil.iter_modules(mnp.__path__) if f.name not in PROTOCOLS):
        module = importlib.import_module(f"minigrad.numpy.{file}")
        home = getattr(mnp, file) if file in ("fft", "linalg", "special") else mnp
        for name, f in vars(module).items():
            if inspect.isfunction(f) and f.__module__ == module.__name__ and name[0] != "_":
                assert name in internal or getattr(home, name) is f
                assert name in internal or name in home.__all__
