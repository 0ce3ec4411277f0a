"""Making arrays: values, dtypes, and what a bad request is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
import minigrad.tracer as jax
from minigrad.errors import (
    ArgumentError,
    ConcretizationError,
    DtypeError,
    ImmutableError,
    MinigradError,
    ShapeError,
    ValueTypeError,
)
from minigrad.graph import run, specialize
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.testing import check_grads
from minigrad.types import Dim, TensorType

F32 = TensorType((3,), mnp.float32.dtype)


@pytest.mark.parametrize(
    ("data", "dtype"),
    [
        (1, "int64"),
        (1.5, "float32"),
        (True, "bool"),
        (1j, "complex64"),
        ([1, 2], "int64"),
        ([1, 2.5], "float32"),
        ([[True], [False]], "bool"),
        ([1, 1j], "complex64"),
        ([], "float32"),
        (range(3), "int64"),
        (np.ones(2), "float64"),
        ([np.ones(2), np.ones(2)], "float64"),
        ([np.float64(1), 2], "float64"),
        (np.int8([1]), "int8"),
        (np.array([1.0], ">f4"), "float32"),
    ],
)
def test_asarray_dtypes(data: Any, dtype: str) -> None:
    x = mnp.asarray(data)
    assert x.dtype.name == dtype
    np.testing.assert_array_equal(np.asarray(x), np.asarray(data))
    assert mnp.array(data, dtype="complex128").dtype == mnp.complex128


def test_asarray_copies_what_can_change() -> None:
    theirs = np.zeros(2)
    x = mnp.asarray(theirs)
    theirs[0] = 1
    assert x.tolist() == [0, 0]
    assert mnp.asarray(x) is x
    view = np.asarray(x)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    with pytest.raises(ImmutableError, match=r"an array is immutable, f64\[2\] cannot be assigned to"):
        x[0] = 1.0


def test_numbers_beside_arrays_take_their_dtype_as_they_are() -> None:
    """Not by way of float32 or int64: 0.1 would lose digits, 300 would wrap."""
    assert mnp.stack([0.1, mnp.asarray(np.float64(0.5))]).tolist() == [0.1, 0.5]
    with pytest.raises(DtypeError, match="300"):
        mnp.stack([300, mnp.asarray(np.uint8(5))])


def test_lists_of_traced_values_are_stacked() -> None:
    graph, _ = trace(lambda x: [mnp.asarray([[x[0], 1], [2.5, x[1]]])], [F32])
    assert run(graph, [mnp.asarray([7.0, 8.0, 9.0])])[0].tolist() == [[7, 1], [2.5, 8]]


def test_from_a_shape() -> None:
    assert mnp.zeros((2, 0)).shape == mnp.empty((2, 0)).shape == (2, 0)
    assert mnp.ones(2, dtype=int).tolist() == [1, 1]
    assert mnp.full((2,), True).dtype == mnp.bool and mnp.full(2, np.float64(3)).dtype == mnp.float64
    assert mnp.full((2, 2), mnp.asarray([1, 2])).tolist() == [[1, 2], [1, 2]]
    assert mnp.empty_like(mnp.ones(3)).dtype == mnp.float32
    for n, m, k in ((3, None, 0), (2, 4, 1), (4, 2, -1), (0, 2, 0)):
        np.testing.assert_array_equal(np.asarray(mnp.eye(n, m, k=k)), np.eye(n, m, k=k))
        np.testing.assert_array_equal(np.asarray(mnp.tri(n, m, k=k)), np.tri(n, m, k=k))
    assert mnp.identity(2).tolist() == [[1, 0], [0, 1]]


@pytest.mark.parametrize("args", [(5,), (2, 7), (7, 2, -2), (0.5, 3), (0, 1, 0.1), (3, 0), (2**53, 2**53 + 3)])
def test_arange(args: Any) -> None:
    ours, wanted = mnp.arange(*args), np.arange(*args)
    assert ours.dtype == (mnp.int64 if wanted.dtype.kind == "i" else mnp.float32)
    np.testing.assert_allclose(np.asarray(ours), wanted, rtol=1e-6)
    assert mnp.arange(*args, dtype="float64").dtype == mnp.float64


def test_linspace() -> None:
    for args in ((0, 1, 5), (2.0, -3.0, 4), (1, 2, 1), (1, 2, 0)):
        np.testing.assert_allclose(np.asarray(mnp.linspace(*args)), np.linspace(*args), rtol=1e-6)
    assert mnp.linspace(0, 1, 4, endpoint=False).tolist() == [0, 0.25, 0.5, 0.75]
    check_grads(lambda a, b: mnp.linspace(a, b, 4), (Array(np.float64(1.5)), Array(np.float64(2.5))), order=1)


def test_what_arange_cannot_know() -> None:
    with pytest.raises(ConcretizationError, match=r"arange\(\) of a traced value i64\[\]"):
        trace(lambda n: [mnp.arange(n)], [TensorType((), mnp.int64.dtype)])


def test_repeated_names() -> None:
    assert mnp.abs(mnp.asarray(-1)).tolist() == mnp.absolute(-1).tolist() == 1
    assert mnp.conjugate is mnp.conj and mnp.around is mnp.round and mnp.amax is mnp.max and mnp.amin is mnp.min
    assert mnp.bitwise_not is mnp.bitwise_invert and mnp.concatenate is mnp.concat
    assert mnp.left_shift is mnp.bitwise_left_shift and mnp.right_shift is mnp.bitwise_right_shift
    assert mnp.rsqrt(4.0).tolist() == 0.5
    counts = mnp.arange(5)
    assert mnp.clip(counts, mnp.asarray(2)).tolist() == counts.clip(2).tolist() == [2, 2, 2, 3, 4]
    assert mnp.clip(counts, max=mnp.asarray(2)).dtype == counts.clip(0.5).clip(max=9).astype(int).dtype == mnp.int64
    assert mnp.clip(counts.astype("uint8"), -5, 300).tolist() == counts.tolist()
    assert mnp.clip(counts.astype("uint8"), 300).tolist() == [255] * 5
    x = mnp.ones((2, 3))
    assert (mnp.shape(x), mnp.ndim(x), mnp.size(x), mnp.size(x, -1)) == ((2, 3), 2, 6, 3)
    assert mnp.broadcast_shapes() == () and mnp.broadcast_shapes((2, 1), 3) == (2, 3)
    assert mnp.allclose(x, 1 + 1e-7).item() and not mnp.allclose(x, 1.1).item()
    assert mnp.array_equal(x, x).item() and not mnp.array_equal(x, x[0]).item()
    assert mnp.array_equal(x * mnp.nan, x * mnp.nan, equal_nan=True).item()
    assert not mnp.array_equal(x * mnp.nan, x * mnp.nan).item()
    assert mnp.atleast_1d(3).shape == (1,) and mnp.atleast_2d(3).shape == (1, 1)
    assert mnp.round(mnp.asarray([1.25, -1.35], dtype="float64"), 1).tolist() == [1.2, -1.4]
    assert [t.tolist() for t in mnp.top_k(mnp.asarray([1, 3, 2]), 2)] == [[3, 2], [1, 2]]


ERRORS: list[tuple[str, type[MinigradError], str]] = [
    ("mnp.sum(x, axis=2)", ArgumentError, "sum: axis 2 is out of range for f32[2,3] (rank 2)"),
    ("mnp.mean(x, axis=-3)", ArgumentError, "mean: axis -3 is out of range for f32[2,3] (rank 2)"),
    ("x.max(1.5)", ArgumentError, "max: an axis must be an integer, got 1.5"),
    ("mnp.var(x, axis=(0, 0))", ArgumentError, "var: axes (0, 0) name an axis of f32[2,3] twice"),
    ("mnp.max(mnp.zeros((0, 2)), axis=0)", ArgumentError, "max: f32[0,2] has no elements along axes (0,), so"),
    ("mnp.reshape(x, (4,))", ShapeError, "reshape: 6 elements of f32[2,3] cannot fill shape (4,)"),
    ("x.reshape(4, -1)", ShapeError, "reshape: 6 elements of f32[2,3] cannot fill shape (4, -1)"),
    ("x.reshape(-1, -1)", ArgumentError, "reshape: only one size may be -1, got shape (-1, -1)"),
    ("mnp.squeeze(x, axis=1)", ShapeError, "squeeze: axis 1 of f32[2,3] has size 3, not 1"),
    ("mnp.expand_dims(x, 5)", ArgumentError, "expand_dims: axis 5 is out of range for f32[2,3] with 1 new axes"),
    ("mnp.permute_dims(x, (0,))", ArgumentError, "permute_dims: (0,) is not an order of the 2 axes of f32[2,3]"),
    ("mnp.moveaxis(x, 0, (0, 1))", ArgumentError, "moveaxis: cannot move axes 0 of f32[2,3] to (0, 1)"),
    ("mnp.broadcast_to(x, (4, 3))", ShapeError, "expand: shapes (2, 3) and (4, 3) do not broadcast"),
    ("mnp.concat([x, mnp.ones((3, 2))])", ShapeError, "concatenate: f32[2,3] and f32[3,2] do not fit together along"),
    ("mnp.stack([x, mnp.ones(3)])", ShapeError, "stack: f32[2,3] and f32[3] do not have one shape"),
    ("mnp.concat([])", ArgumentError, "concat: needs at least one array"),
    ("mnp.concat(3)", ValueTypeError, "concat: takes a list of arrays, got 3"),
    ("mnp.split(x, 2, axis=1)", ShapeError, "split: axis 1 of f32[2,3] does not divide into 2 equal parts"),
    ("mnp.pad(x, -1)", ArgumentError, "pad: pad_width -1 does not fit f32[2,3]"),
    ("mnp.pad(x, 1, mode='fancy')", ArgumentError, "pad: unknown mode 'fancy'"),
    ("mnp.repeat(x, [1, 2], axis=1)", ArgumentError, "repeat: repeats must be one count or 3 for axis 1 of f32[2,3]"),
    ("mnp.tile(x, -1)", ArgumentError, "tile: a size cannot be negative, got shape -1"),
    ("mnp.matmul(x, x)", ShapeError, "matmul: shapes (2, 3) and (2, 3) do not fit"),
    ("mnp.vecdot(x, mnp.ones(2))", ShapeError, "vecdot: f32[2,3] and f32[2] have different sizes along axis -1"),
    ("mnp.cross(x, mnp.ones(2))", ShapeError, "cross: axis -1 of f32[2] has not size 3"),
    ("mnp.diag(mnp.ones((1, 1, 1)))", ShapeError, "diag: takes a vector or a matrix, got f32[1,1,1]"),
    ("mnp.zeros((2, -1))", ArgumentError, "zeros: a size cannot be negative, got shape (2, -1)"),
    ("mnp.zeros(2.5)", ArgumentError, "zeros: a shape is a tuple of integers, got 2.5"),
    ("mnp.zeros(3, dtype='float16')", DtypeError, "unknown dtype 'float16'"),
    ("mnp.full(2, 300, dtype='int8')", ArgumentError, "full: 300 does not fit in int8"),
    ("mnp.zeros(2, device='gpu')", ArgumentError, "zeros: unknown device 'gpu'"),
    ("mnp.asarray([[1], [1, 2]])", ShapeError, "asarray: the nested lists are not rectangular"),
    ("mnp.asarray(['one'])", ValueTypeError, "asarray: cannot compute with 'one' (a str)"),
    ("mnp.asarray([x, mnp.ones(2)])", ShapeError, "asarray: the list holds f32[2,3] and f32[2]"),
    ("mnp.sin('one')", ValueTypeError, "sin: cannot compute with 'one' (a str)"),
    ("mnp.sin(['one'])", ValueTypeError, "sin: cannot compute with 'one' (a str)"),
    ("mnp.from_dlpack([1.0])", ValueTypeError, "from_dlpack: cannot read a list: 'list' object has no attribute"),
    ("mnp.sum([[1], [2, 3]])", ShapeError, "sum: the nested lists are not rectangular"),
    ("mnp.asarray([1], copy=False)", ArgumentError, "asarray: a list must be copied, for it may change"),
    ("mnp.from_dlpack(x, copy=False)", ArgumentError, "from_dlpack: the data must be copied"),
    ("mnp.full_like(mnp.uint8([1]), 300)", ArgumentError, "full_like: 300 does not fit in uint8"),
    ("mnp.asarray([2**63])", ArgumentError, "asarray: Python int too large"),
    ("mnp.asarray(300, dtype='uint8')", ArgumentError, "asarray: Python integer 300 out of bounds for uint8"),
    ("mnp.asarray([-1], dtype='uint8')", ArgumentError, "asarray: Python integer -1 out of bounds for uint8"),
    ("x == [1, 2, 3]", ValueTypeError, "equal: a list is not a tensor"),
    ("x < (1, 2, 3)", ValueTypeError, "less: a tuple is not a tensor"),
    ("mnp.einsum(x, 3)", ArgumentError, "einsum: 3 are no numbers of axes below 52"),
    ("mnp.where(x > 0, x)", ArgumentError, "where: one of x1 and x2 is missing"),
    ("mnp.digitize(x, x)", ShapeError, "digitize: bins are a vector of edges, got f32[2,3]"),
    ("mnp.bincount([0, -1])", ArgumentError, "bincount: counts from 0 up, got -1"),
    ("mnp.bincount([0, 1], weights=[1])", ShapeError, "bincount: weights i64[1] for i64[2]"),
    ("mnp.average(x, axis=(0, 1), weights=[1, 2])", ShapeError, "average: weights i64[2] for f32[2,3]"),
    ("mnp.arange(3 + 0j)", ArgumentError, "arange: takes real numbers, got 0, (3+0j), 1"),
    ("mnp.arange(0, 1, 0)", ArgumentError, "arange: the step is 0"),
    ("mnp.take(x, x)", DtypeError, "take: positions must be integers, got f32[2,3]"),
    ("mnp.quantile(x, 2)", ArgumentError, "quantile: q must be a number in [0, 1], or an array"),
    ("mnp.searchsorted(x, 1)", ShapeError, "searchsorted: takes a sorted vector, got f32[2,3]"),
    ("mnp.bincount(x)", DtypeError, "bincount: takes a vector of integers, got f32[2,3]"),
    ("mnp.isdtype(x.dtype, 'letters')", ArgumentError, "isdtype: unknown kind 'letters'"),
    ("mnp.finfo(mnp.int8)", DtypeError, "finfo: int8 is not a floating dtype"),
    ("mnp.iinfo(mnp.float32)", DtypeError, "iinfo: float32 is not an integer dtype"),
    ("mnp.cumulative_sum(x)", ArgumentError, "cumulative_sum: f32[2,3] needs an axis"),
    ("mnp.bitwise_and(x, 1)", DtypeError, "and does not take float32"),
    ("float(x)", ArgumentError, "float() of f32[2,3]: it has 6 elements, not one"),
    ("bool(x)", ArgumentError, "bool() of f32[2,3]: it has 6 elements, not one"),
    ("range(3)[x]", DtypeError, "f32[2,3] cannot be an index"),
    ("mnp.linspace(0, 1, -1)", ArgumentError, "linspace: a size cannot be negative, got shape -1"),
    ("mnp.meshgrid(x)", ShapeError, "meshgrid: takes one-dimensional arrays, got f32[2,3]"),
    ("mnp.convolve(x, x)", ShapeError, "convolve: takes vectors that are not empty, got f32[2,3]"),
    ("mnp.average(x, weights=mnp.ones(4))", ShapeError, "average: weights f32[4] for f32[2,3]"),
    ("mnp.clip(x, 0, mnp.ones(2))", ShapeError, "clip: shapes (2, 3), () and (2,) do not broadcast"),
]


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS, ids=[call for call, _, _ in ERRORS])
def test_errors(call: str, kind: type[MinigradError], text: str) -> None:
    with pytest.raises(kind) as caught:
        eval(call, {"mnp": mnp, "x": mnp.ones((2, 3))})
    assert str(caught.value).startswith(text)


@pytest.mark.parametrize("name", ["nonzero", "argwhere", "unique_values", "unique_all", "unique", "bincount"])
def test_shapes_that_depend_on_numbers_are_refused_in_a_graph(name: str) -> None:
    with pytest.raises(ConcretizationError) as caught:
        trace(lambda x: [getattr(mnp, name)(x)], [TensorType((3,), mnp.int64.dtype)])
    words = str(caught.value)
    assert words.startswith(f"{name}: the shape of the result depends on the numbers of i64[3], which are not known")
    assert "size=" in words or "length=" in words


def test_a_given_size_makes_them_possible() -> None:
    x = mnp.asarray([[0, 3, 1], [3, 0, 3]])
    for size in (0, 2, 4, 6):
        graph, _ = trace(
            lambda x, n=size: [*mnp.nonzero(x, size=n, fill_value=-7), mnp.unique_values(x, size=n)], [x.type]
        )
        rows, columns, values = run(graph, [x])
        for ours, theirs in zip((rows, columns), np.nonzero(np.asarray(x)), strict=True):
            assert ours.tolist() == [*theirs, -7, -7, -7][:size]
        assert values.tolist() == [0, 1, 3, 3, 3, 3][:size]
    assert mnp.bincount(mnp.asarray([1, 1, 5]), mnp.asarray([0.5, 1, 2]), length=3).tolist() == [0, 1.5, 0]


def test_distinct_elements_of_a_given_size() -> None:
    """In a graph as eagerly: the numbers of NumPy, then the largest element, 0 times."""
    x = np.array([[3.0, 1.0, 3.0], [2.0, 1.0, 3.0]])
    values, indices, inverse, counts = np.unique(x, True, True, True)
    for f in (mnp.unique_all, lambda x, size: mnp.unique(x, True, True, True, size=size)):
        found = jax.jit(lambda x, f=f: tuple(f(x, size=5)))(x)
        for ours, theirs, more in zip(found, (values, indices, inverse, counts), ([3, 3], [5, 5], None, [0, 0])):
            assert ours.tolist() == (theirs.tolist() if more is None else [*theirs, *more])
    assert jax.jit(lambda x: mnp.unique_counts(x, size=2))(x).counts.tolist() == [2, 1]
    assert jax.jit(lambda x: mnp.unique_inverse(x, size=3))(x).inverse_indices.tolist() == inverse.tolist()
    assert jax.grad(lambda x: mnp.unique_all(x, size=3).values @ np.array([1.0, 2, 4]))(x).tolist() == [
        [4, 1, 0],
        [2, 0, 0],
    ]
    assert jax.jit(lambda x: mnp.argwhere(x > 2, size=4, fill_value=-1))(x).tolist() == [
        [0, 0], [0, 2], [1, 2], [-1, -1],
    ]  # fmt: skip
    assert mnp.argwhere(np.float64(3), size=2).shape == (2, 0)
    assert [axis.tolist() for axis in jax.jit(lambda x: mnp.where(x > 2, size=2))(x)] == [[0, 0], [0, 2]]


INTEGERS = """
    mnp.top_k(x, n)[0]; mnp.linalg.matrix_power(m, n); mnp.round(x, n); mnp.roll(x, n); mnp.split(m, n)[0]
    mnp.hsplit(m, n)[0]; mnp.array_split(x, n)[0]; mnp.repeat(x, n); mnp.tile(x, n); mnp.diff(x, n); mnp.eye(n, k=n)
    mnp.tri(n); mnp.tril(m, n); mnp.vander(x, n); mnp.fft.fft(x, n); mnp.fft.fftfreq(n); mnp.rollaxis(m, 1, n)
    mnp.unique(x, size=n); mnp.bincount([0, 1], length=n); mnp.histogram(x, n)[0]; mnp.partition(x, n); mnp.pad(x, n)
    mnp.percentile(x, n); mnp.special.polygamma(n, x); mnp.special.multigammaln(x + 2, n); mnp.tensordot(m, m, n)
    mnp.linalg.norm(x, n); mnp.linspace(0, 1, n); mnp.arange(n); mnp.zeros((n, n)); mnp.cov(m, ddof=n)
"""


@pytest.mark.parametrize("call", [call.strip() for call in INTEGERS.strip().replace("\n", ";").split(";")])
def test_numpys_integers_are_integers(call: str) -> None:
    """Where a parameter is an integer, one of NumPy's does as well."""
    given = {"mnp": mnp, "x": mnp.asarray([1.0, 2.0, 3.0]), "m": mnp.eye(2)}
    for n in (np.int64(2), np.uint8(2)):
        np.testing.assert_array_equal(eval(call, {**given, "n": n}), eval(call, {**given, "n": 2}))


def test_a_shape_may_be_an_array() -> None:
    for shape in (np.array([3, 2]), mnp.asarray([3, 2])):
        assert mnp.zeros(shape).shape == mnp.reshape(mnp.arange(6), shape).shape == (3, 2)
        assert mnp.broadcast_to(1, shape).shape == mnp.arange(6).reshape(shape).shape == (3, 2)


def test_unknown_sizes_pass_through() -> None:
    """The mean over a batch of unknown size is known when it is fed."""
    n = TensorType((Dim.symbol("n"), 3), mnp.float32.dtype)
    functions = [
        lambda x: mnp.mean(x, axis=0),
        lambda x: mnp.var(x, correction=1),
        lambda x: mnp.reshape(x, (-1,)).sum() + mnp.sum(mnp.zeros_like(x) + mnp.full_like(x, 2)),
        lambda x: mnp.stack([x, x * 2], axis=1)[1:].mean(axis=0),
        lambda x: mnp.concat([x, x]).std(axis=1).T.max(),
    ]
    graph, _ = trace(lambda x: [f(x) for f in functions], [n])
    for size in (2, 5):
        x = mnp.asarray(np.random.default_rng(size).normal(size=(size, 3)).astype("float32"))
        for y, f in zip(run(specialize(graph, {"n": size}), [x]), functions, strict=True):
            np.testing.assert_allclose(np.asarray(y), np.asarray(f(x)), rtol=1e-6)


def test_array_adds_axes_in_front() -> None:
    assert mnp.array([1, 2], float, ndmin=3).shape == mnp.array(np.ones(2), ndmin=3).shape == (1, 1, 2)
    assert mnp.array(np.ones((2, 2)), ndmin=1).shape == (2, 2)


def test_a_range_is_a_list_of_numbers() -> None:
    assert mnp.sum(range(4)).item() == 6 and mnp.dot(range(3), [1, 2, 3]).item() == 8
