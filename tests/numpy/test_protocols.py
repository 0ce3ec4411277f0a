"""NumPy meets our values: on the left of an operator, as a function, through DLPack, as dtypes."""

from __future__ import annotations

import io
import operator
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special

import minigrad.numpy as mnp
import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad.errors import ArgumentError, BackwardError, ConcretizationError, MinigradError, ShapeError, ValueTypeError
from minigrad.op import Array, Value
from tests.numpy.cases import CASES, draw

A = np.array([[1.5, -0.5, 2.0], [0.25, 3.0, -1.0]])
X = np.array([0.6, 2.0, 1.25])

Program = Callable[[Any], Any]
WITH_NUMPY: dict[str, Program] = {
    "left operand": lambda x: ((A - x) * (A @ x)[:, None] / (A + 9)).sum(),
    "scalar on the left": lambda x: (np.float64(2.5) * x + np.float64(1) / x).sum(),
    "power, remainder": lambda x: (np.abs(A) ** x).sum() + (A % x).sum() + (A // x).sum(),
    "comparison": lambda x: np.where(x > A, x, A).sum(),
    "ufuncs": lambda x: np.add.reduce(np.sin(x) * np.exp(-x) + np.hypot(x, A[0]) + np.logaddexp(x, 0.0)),
    "ufunc methods": lambda x: np.sum(np.multiply.outer(x, x) @ np.add.accumulate(x)) + np.maximum.reduce(x),
    "reductions": lambda x: np.mean(x) + np.var(x, ddof=1) + np.max(x * A) + np.prod(x, axis=0),
    "joining": lambda x: np.sum(np.concatenate([x, A[0], x]) * np.arange(9.0)) + np.sum(np.stack([A, A * x], axis=1)),
    "shapes": lambda x: np.sum(np.reshape(np.transpose(A * x), (2, 3)) * A) + np.size(x) * np.ndim(x),
    "contractions": lambda x: np.einsum("ij,j->", A, x) + np.dot(x, x) + np.sum(np.outer(A[0], x)),
    "linear algebra": lambda x: np.linalg.norm(x) + np.linalg.det(np.diag(x) + 0.1),
    "scipy.special": lambda x: np.sum(scipy.special.erf(x) * scipy.special.gammaln(x)),
}


@pytest.mark.parametrize("name", WITH_NUMPY)
def test_numpy_code_runs_on_every_kind_of_value(name: str) -> None:
    """The value, and the gradient, through eager, jit, grad, jvp, vmap, tape and session."""
    f, x = WITH_NUMPY[name], mnp.asarray(X)
    wanted = f(X)
    y = f(x)
    assert isinstance(y, Array)
    np.testing.assert_allclose(y, wanted, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(f)(x), wanted, rtol=1e-12)
    np.testing.assert_allclose(jax.vmap(f)(mnp.stack([x, x + 1])), [wanted, f(X + 1)], rtol=1e-12)
    step = 1e-6
    slopes = [(f(X + step * e) - f(X - step * e)) / (2 * step) for e in np.eye(3)]
    gradient = jax.grad(f)(x)
    np.testing.assert_allclose(gradient, slopes, rtol=1e-6, atol=1e-8)
    for e, slope in zip(np.eye(3), gradient.tolist(), strict=True):
        np.testing.assert_allclose(jax.jvp(f, (x,), (mnp.asarray(e),))[1], slope, rtol=1e-12, atol=1e-12)
    t = torch.tensor(X, requires_grad=True)
    recorded = f(t)
    assert isinstance(recorded, torch.Tensor)
    recorded.backward()
    np.testing.assert_allclose(recorded.item(), wanted, rtol=1e-12)
    np.testing.assert_allclose(t.grad.numpy(), gradient, rtol=1e-10)
    with tf.Graph().as_default(), tf.Session() as sess:
        p = tf.placeholder(tf.float64, [3])
        z = f(p)
        found = sess.run([z, *tf.gradients(z, p)], {p: X})
    np.testing.assert_allclose(found[0], wanted, rtol=1e-12)
    np.testing.assert_allclose(found[1], gradient, rtol=1e-10)


@pytest.mark.parametrize("case", [c for c in CASES if "f" in c.kinds], ids=lambda c: c.name)
def test_numpys_function_gives_what_ours_gives(case: Any) -> None:
    """Every line of the table, called by NumPy's name on our arrays: the same array, or our error; never objects."""
    xs = [Array(x) for x in draw(case, "float64", np.random.default_rng(4))]
    try:
        ys = case.reference(*xs)
    except MinigradError as error:
        assert type(error) in (ArgumentError, ValueTypeError)
        assert str(error).startswith("numpy.")
        return
    ours = case.f(mnp, *xs)
    if isinstance(ys, (Value, np.ndarray)):
        ys, ours = [ys], [ours]
    for y, o in zip(ys, ours, strict=True):
        assert isinstance(y, Array) and y.dtype == o.dtype
        np.testing.assert_array_equal(y, o)


OPERATORS = ["add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "lt", "le", "gt", "ge", "eq", "ne"]


@pytest.mark.parametrize("name", OPERATORS)
def test_an_ndarray_on_the_left(name: str) -> None:
    op = getattr(operator, name)
    for left in (np.array([4.0, 2.0]), np.float64(2.0), np.array(3.0), np.array([4, 2]), np.int32(3)):
        f, right = lambda x, a=left: op(a, x), np.array([2.0, 2.0])
        for y in (f(Array(right)), jax.jit(f)(right), jax.vmap(f, in_axes=None, axis_size=2)(right)[0]):
            assert isinstance(y, Array)
            np.testing.assert_array_equal(y, f(right))


def test_in_place_into_an_ndarray_writes_numbers_and_only_numbers() -> None:
    a = np.zeros(3)
    a += mnp.ones(3)
    np.add(a, mnp.ones(3), out=a)
    assert a.tolist() == [2, 2, 2]

    def loses(x: Any) -> Any:
        total = np.zeros(3)
        total += x
        return mnp.sum(total)

    for run in (jax.grad(loses), jax.jit(loses), lambda x: loses(torch.tensor([1.0] * 3, requires_grad=True))):
        with pytest.raises(ValueTypeError) as caught:
            run(mnp.ones(3))
        assert str(caught.value).startswith("numpy.add: a NumPy array holds numbers, and the result, f64[3], is traced")
    with pytest.raises(ValueTypeError, match=r"numpy.add: out= is a value of minigrad, f32\[3\], which cannot be"):
        np.add(a, a, out=mnp.ones(3))


REFUSED: list[tuple[Program, type[MinigradError], str]] = [
    (np.frexp, ValueTypeError, "numpy.frexp: minigrad.numpy has no function of this name"),
    (np.fix, ValueTypeError, "numpy.fix: minigrad.numpy has no function of this name"),
    (lambda x: np.add.at(x, [0], 1.0), ValueTypeError, "numpy.add.at has no counterpart in minigrad.numpy"),
    (
        lambda x: np.sum(x, out=np.zeros(())),
        ArgumentError,
        "numpy.sum on f32[2]: got an unexpected keyword argument 'out' (minigrad.numpy.sum(x, /, axis=None, *, ",
    ),
    (lambda x: np.sin(x, dtype="f8"), ArgumentError, "numpy.sin on f32[2]: got an unexpected keyword argument 'dtype'"),
    (lambda x: np.add([[1.0], [1.0, 2.0]], x), ShapeError, "add: the nested lists are not rectangular"),
]


@pytest.mark.parametrize(("call", "kind", "text"), REFUSED, ids=[text[:24] for _, _, text in REFUSED])
def test_what_has_no_counterpart_says_so(call: Program, kind: type[MinigradError], text: str) -> None:
    def refused(x: Any) -> Any:
        with pytest.raises(kind) as caught:
            call(x)
        assert str(caught.value).startswith(text)
        return x

    for run in (refused, jax.jit(refused), lambda x: refused(torch.tensor([1.0, 2.0]))):
        run(mnp.asarray([1.0, 2.0]))


def test_numbers_leave_only_without_a_derivative() -> None:
    """np.asarray of a value being differentiated would drop its derivative silently."""
    seen = []

    def loses(x: Any) -> Any:
        seen.append(np.asarray(jax.lax.stop_gradient(x)).tolist())
        return mnp.sum(mnp.asarray(np.full(2, x[0])) * x)

    for run in (jax.grad(loses), lambda x: jax.jvp(loses, (x,), (x,))):
        with pytest.raises(ConcretizationError) as caught:
            run(mnp.ones(2))
        assert str(caught.value).startswith(
            "numpy.asarray() of f32[], which is being differentiated: the numbers would"
        )
    assert seen == [[1, 1], [1, 1]]
    with pytest.raises(ConcretizationError):
        jax.grad(lambda x: mnp.sum(mnp.from_dlpack(x)))(mnp.ones(2))
    with pytest.raises(BackwardError):
        np.asarray(torch.tensor([1.0], requires_grad=True))
    assert np.asarray(mnp.ones(2), dtype="f8").dtype == np.float64
    for staged in (np.asarray, lambda x: np.array([x, x]), lambda x: np.array([x], dtype=object)):
        with pytest.raises(ConcretizationError):
            jax.jit(staged)(mnp.ones(2))


def test_reading_functions_read() -> None:
    x = mnp.asarray([1.0, 2.0])
    file, target = io.BytesIO(), np.zeros(2)
    np.save(file, x)
    file.seek(0)
    np.copyto(target, x)
    assert np.load(file).tolist() == target.tolist() == [1, 2]
    assert np.array2string(x) == "[1. 2.]" and not np.shares_memory(x, target)
    np.testing.assert_allclose(x, [1.0, 2.0])
    for read in (np.asarray, np.array, np.ascontiguousarray, lambda v: np.asarray(v, copy=True)):
        assert type(read(x)) is np.ndarray and read(x).dtype == np.float32
    assert not np.asarray(x).flags.writeable and np.asarray(x, copy=True).flags.writeable


# ── DLPack ───────────────────────────────────────────────────────────────────────────────────────
NAMES = list(mnp.__array_namespace_info__().dtypes())


@pytest.mark.parametrize("dtype", NAMES)
def test_dlpack_keeps_shape_dtype_and_numbers(dtype: str) -> None:
    for shape in ((), (0, 3), (2, 3)):
        theirs = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
        for x in (mnp.from_dlpack(theirs), mnp.from_dlpack(mnp.asarray(theirs)), mnp.asarray(torch.tensor(theirs))):
            back = np.from_dlpack(x)
            assert (back.shape, back.dtype) == (shape, theirs.dtype)
            np.testing.assert_array_equal(back, theirs)
    columns = np.arange(6.0)[::2]  # strided
    assert mnp.from_dlpack(columns).tolist() == columns.tolist()


def test_dlpack_refusals() -> None:
    with pytest.raises(ConcretizationError, match=r"__dlpack__\(\)"):
        jax.jit(lambda x: np.from_dlpack(x))(mnp.ones(2))
    with pytest.raises(ArgumentError, match="from_dlpack: the data must be copied"):
        mnp.from_dlpack(np.ones(2), copy=False)
    with pytest.raises(ValueTypeError, match="from_dlpack: cannot read a ndarray: DLPack only supports native"):
        mnp.from_dlpack(np.arange(3, dtype=">i4"))
    with pytest.raises(ArgumentError, match="unknown device 'gpu'"):
        mnp.from_dlpack(np.ones(2), device="gpu")


# ── dtypes ───────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", NAMES)
def test_a_dtype_is_called_compared_and_accepted(name: str) -> None:
    ours, theirs = getattr(mnp, name), np.dtype(name)
    x = ours(1)
    assert isinstance(x, Array) and x.dtype == ours and ours == x.dtype == theirs and hash(ours) == hash(theirs)
    assert ours == getattr(np, "bool_" if name == "bool" else name) == theirs and ours == name
    assert {ours: 1}[theirs] == {theirs: 1}[ours] == 1 and ours in [theirs] and ours != object()
    assert all(ours != getattr(mnp, other) and theirs != getattr(mnp, other) for other in NAMES if other != name)
    assert (ours.name, ours.kind, ours.itemsize) == (theirs.name, theirs.kind, theirs.itemsize)
    assert repr(ours) == f"minigrad.numpy.{name}" and pickle.loads(pickle.dumps(ours)) == ours
    made = [mnp.zeros(2, dtype=ours), mnp.asarray([1, 0], ours), mnp.ones(2).astype(ours), np.zeros(2, ours)]
    made += [mnp.full(2, 1, dtype=ours), mnp.arange(2, dtype=ours) if name != "bool" else x, mnp.astype(x, ours)]
    assert all(y.dtype == theirs for y in made)
    assert mnp.result_type(ours, ours) == theirs and mnp.isdtype(ours, theirs) and mnp.can_cast(ours, ours)
    assert jax.jit(lambda v: ours(v))(1.0).dtype == theirs and tf.constant([1, 0], dtype=ours).dtype == theirs
    assert torch.tensor([1, 0], dtype=ours).dtype == theirs


def test_a_dtype_called_keeps_precision_and_gradient() -> None:
    assert mnp.float64(0.1).item() == 0.1 and mnp.float32([1, 2]).tolist() == [1, 2] and mnp.int32(2.7).item() == 2
    assert jax.grad(lambda x: mnp.float64(x) * 3)(mnp.float32(2)).item() == 3
    assert mnp.finfo(mnp.float32).bits == 32 and mnp.iinfo(mnp.int8).max == 127
