"""Linear systems and determinants. NumPy's and SciPy's LAPACK does the work; here stand types and derivatives.

Floor 2. Every op takes stacks of matrices on its last two axes, so batching is the op itself. Cotangents pair
without a conjugation (see `LinearRow`), so the transpose of X ↦ A⁻¹X is X ↦ A⁻ᵀX for complex A too. The factorizations
are in factor.py. The derivatives: Giles, An extended collection of matrix derivative results (2008).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import ShapeError
from minigrad.frozen import dataclass
from minigrad.lazy import lazy_module
from minigrad.op import Op, Operand, Value, ndarray
from minigrad.ops.complex import complex_, imag, real
from minigrad.ops.composite import floating
from minigrad.ops.contract import common_dtype, matmul
from minigrad.ops.elementwise import mul, neg, sub
from minigrad.ops.gather import moved
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.matrices import broken, column, converging, low, matrix_type, singular, trace, transposed, with_nan
from minigrad.ops.movement import Expand, Reshape, Sum
from minigrad.types import TensorType, real_of, same_shape

scipy_linalg = lazy_module("scipy.linalg")
lapack = lazy_module("scipy.linalg.lapack")
# So many triangular systems of at most such a size are solved at once: 256 of 8x8 take a sixth of the time, and none of
# the milliseconds that threads of LAPACK, which it takes for a few numbers, wait for on a busy machine.
_LANES, _SMALL = 16, 16


# ── the kind ─────────────────────────────────────────────────────────────────────────────────────
class MatrixOp(Op):
    """Of one stack of float matrices [.., m, n]. Subclasses that take only square ones say so."""

    square: ClassVar[bool] = True

    def admit(self, arrays: list[ndarray]) -> bool:
        return arrays[0].dtype.kind in "fc"

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        return [floating(x, self.label) for x in xs]

    def matrices(self, x: TensorType) -> TensorType:
        """x, if it is what the op takes."""
        return matrix_type(self.label, x, square=self.square)

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        return self.matrices(x)

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        return self(xs[0])


class Factorization(MatrixOp):
    """Of one operand; `compute` does the work. A matrix that holds nan or inf gives nan.

    LAPACK promises nothing for those (eigenvalues come out as plausible numbers), and one lane must not spoil others.
    """

    # its samples: shapes, the shape of a complex one, and what else a Draw of them says
    shapes: ClassVar[Sequence[tuple[int, ...]]] = ((3, 3), (2, 2, 2), (1, 1), (0, 0), (0, 2, 2))
    complex_shape: ClassVar[tuple[int, ...]] = (2, 2)
    drawn: ClassVar[dict[str, Any]] = {}

    def compute(self, x: ndarray) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no compute()")

    def impl(self, x: ndarray) -> Any:
        if self.square and x.shape[-1] != x.shape[-2]:
            raise ValueError("not square")
        bad = broken(x)
        if bad is None:
            return self.compute(x)
        y = self.compute(np.where(bad[..., None, None], np.eye(*x.shape[-2:], dtype=x.dtype), x))
        return tuple(with_nan(part, bad) for part in y) if self.many else with_nan(y, bad)

    @classmethod
    def samples(cls) -> Samples:
        for shape in cls.shapes:
            yield cls(), (Draw(shape, **cls.drawn),)
        yield cls(), (Draw(cls.complex_shape, "complex128", **cls.drawn),)


class System(MatrixOp):
    """x with A·x = b, A [.., n, n] and b [.., n, k] with equal leading axes. The solution is linear in b.

    What a subclass reads of A is `part(A)`, and `turned()` solves with Aᵀ. The rules follow: from A·ẋ + Ȧ·x = ḃ comes
    ẋ = A⁻¹(ḃ − Ȧ·x), and by transposition b̄ = A⁻ᵀ·x̄ and Ā = −b̄·xᵀ.
    """

    def part(self, a: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} defines no part()")

    def turned(self) -> Op:
        raise NotImplementedError(f"{type(self).__name__} defines no turned()")

    def admit(self, arrays: list[ndarray]) -> bool:
        a, b = arrays
        return a.dtype is b.dtype and a.dtype.kind in "fc"

    def coerce(self, xs: Sequence[Operand]) -> Sequence[Value]:
        return common_dtype(self.label, *[floating(x, self.label) for x in xs])

    def out_type(self, a: TensorType, b: TensorType) -> TensorType:  # type: ignore[override]
        self.matrices(a)
        if not same_shape(a.shape[:-1], b.shape[:-1]):
            raise ShapeError(f"{self.label}: a matrix {a} and a right-hand side {b} do not fit")
        return b

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        a_dot, b_dot = dots
        moving = None if a_dot is None else matmul(self.part(a_dot), y)
        return self(xs[0], neg(moving) if b_dot is None else b_dot if moving is None else sub(b_dot, moving))

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        b_bar = self.turned()(transposed(xs[0]), y_bar)
        return [neg(self.part(matmul(b_bar, transposed(y)))) if wanted[0] else None, b_bar]

    def batch(self, xs: Sequence[Value], mapped: Sequence[bool], size: int) -> Any:
        a, b = xs
        if mapped[0]:
            return self(a, b if mapped[1] else Expand((size, *b.shape))(b))
        # one matrix for all lanes is factored once: the lanes become columns, [s, .., n, k] -> [.., n, s·k]
        *rest, n, k = b.shape[1:]
        wide = self(a, Reshape((*rest, n, size * k))(moved(b, 0, b.ndim - 2)))
        return moved(Reshape((*rest, n, size, k))(wide), b.ndim - 2, 0)


@dataclass(frozen=True)
class Solve(System):
    """A⁻¹·b of a general square matrix."""

    def part(self, a: Any) -> Any:
        return a

    def turned(self) -> Op:
        return self

    def impl(self, a: ndarray, b: ndarray) -> ndarray:
        if a.shape[:-1] != b.shape[:-1] or a.shape[-1] != a.shape[-2]:
            raise ValueError("shapes do not fit")
        bad = broken(a)
        if bad is not None:
            return with_nan(self.impl(np.where(bad[..., None, None], np.eye(a.shape[-1], dtype=a.dtype), a), b), bad)
        try:
            return np.linalg.solve(a, b)
        except np.linalg.LinAlgError:
            raise singular(a) from None

    @classmethod
    def samples(cls) -> Samples:
        for lanes, n, k in [((), 3, 2), ((2,), 2, 1), ((), 1, 0), ((0,), 2, 1), ((), 0, 2)]:
            yield cls(), (Draw((*lanes, n, n), diagonal=5.0), Draw((*lanes, n, k)))
        yield cls(), (Draw((2, 2), "complex128", diagonal=5.0), Draw((2, 1), "complex128"))


@dataclass(frozen=True)
class TriangularSolve(System):
    """A⁻¹·b of a triangular matrix: only the lower (or upper) triangle of A is read."""

    lower: bool
    label = "solve_triangular"

    def part(self, a: Any) -> Any:
        return low(a) if self.lower else transposed(low(transposed(a)))

    def turned(self) -> Op:
        return TriangularSolve(not self.lower)

    def impl(self, a: ndarray, b: ndarray) -> ndarray:
        if a.shape[:-1] != b.shape[:-1] or a.shape[-1] != a.shape[-2]:
            raise ValueError("shapes do not fit")
        y = np.empty(b.shape, b.dtype)
        if a.shape[-1] <= _SMALL and b.size >= _LANES * math.prod(b.shape[-2:]) > 0:
            return self.abreast(a, b)
        if b.size:
            (trtrs,) = lapack.get_lapack_funcs(("trtrs",), (a, b))
            for lane in np.ndindex(b.shape[:-2]):
                y[lane], info = trtrs(a[lane], b[lane], lower=self.lower)
                if info > 0:
                    raise singular(a)
        return y

    def abreast(self, a: ndarray, b: ndarray) -> ndarray:
        """Many small systems at once: each unknown in turn, taken from the equations of those that follow."""
        if not np.diagonal(a, axis1=-2, axis2=-1).all():
            raise singular(a)
        n = a.shape[-1]
        a, y = (np.moveaxis(x, (-2, -1), (0, 1)).copy() for x in (a, b))  # [n, n, ..], [n, k, ..]
        with np.errstate(all="ignore"):
            for i in range(n) if self.lower else reversed(range(n)):
                y[i] /= a[i, i]
                others = slice(i + 1, n) if self.lower else slice(i)
                y[others] -= a[others, i, None] * y[i]
        return np.ascontiguousarray(np.moveaxis(y, (0, 1), (-2, -1)))

    @classmethod
    def samples(cls) -> Samples:
        for lower, lanes, n, k in [(True, (), 3, 2), (False, (2,), 2, 1), (True, (), 0, 1), (False, (0,), 2, 2)]:
            yield cls(lower), (Draw((*lanes, n, n), diagonal=4.0), Draw((*lanes, n, k)))
        yield cls(True), (Draw((2, 2), "complex128", diagonal=4.0), Draw((2, 2), "complex128"))


# ── determinants ─────────────────────────────────────────────────────────────────────────────────
class Determinant(Factorization):
    """Of square matrices, one number for each."""

    drawn: ClassVar[dict[str, Any]] = {"diagonal": 3.0}

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        return x.with_shape(self.matrices(x).shape[:-2])


@dataclass(frozen=True)
class Det(Determinant):
    """The determinant. Its derivative is Σ adj(A)ᵀ·Ȧ, which singular matrices have too."""

    def compute(self, x: ndarray) -> Any:
        return np.linalg.det(x)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        return Sum((y.ndim, y.ndim + 1))(mul(transposed(Adjugate()(xs[0])), dots[0]))


@dataclass(frozen=True)
class Adjugate(Determinant):
    """det(A)·A⁻¹, finite for singular matrices too: by singular values, V·diag(Π_{j≠i} σ_j)·Uᴴ · det(U)·det(Vᴴ).

    Its own derivative, tr(A⁻¹Ȧ)·adj(A) − A⁻¹Ȧ·adj(A), needs a regular matrix.
    """

    # of 2 by 2 matrices it is linear, and second derivatives nothing but rounding
    shapes = ((3, 3), (2, 3, 3), (1, 1), (0, 0), (0, 2, 2))
    complex_shape = (3, 3)

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        return self.matrices(x)

    def compute(self, x: ndarray) -> ndarray:
        u, s, vh = converging(self.label, np.linalg.svd, x)
        others = np.prod(np.where(np.eye(s.shape[-1], dtype=bool), 1, s[..., None, :]), axis=-1)  # [.., n]
        sign = np.linalg.det(u) * np.linalg.det(vh)
        v, uh = (np.conj(np.swapaxes(t, -1, -2)) for t in (vh, u))
        return np.asarray(sign[..., None, None] * ((v * others[..., None, :]) @ uh), x.dtype)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        inner = Solve()(xs[0], dots[0])
        return sub(mul(column(column(trace(inner))), y), matmul(inner, y))


@dataclass(frozen=True)
class SlogDet(Determinant):
    """(sign, log |det A|), which cannot overflow; (0, −inf) of a singular matrix, which has no derivative."""

    many = True

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        sign = Determinant.out_type(self, x)
        return sign, TensorType(sign.shape, real_of(x.dtype))

    def compute(self, x: ndarray) -> Any:
        return tuple(np.asarray(part) for part in np.linalg.slogdet(x))

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        rate = trace(Solve()(xs[0], dots[0]))  # d log det A = tr(A⁻¹Ȧ): its imaginary part turns the sign
        if rate.dtype.kind != "c":
            return None, rate
        return mul(y[0], complex_(0.0, imag(rate))), real(rate)
