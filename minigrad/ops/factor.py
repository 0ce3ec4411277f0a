"""Matrix factorizations, the pseudo-inverse and the exponential.

Floor 2. Forward rules only; reverse follows by transposing them. Where a factor is unique only up to a phase
(complex eigen- and singular vectors), one is chosen, so that vectors are functions with a derivative.

Note [Degenerate]. The vectors of equal eigen- or singular values span a space and are no functions of the matrix:
their derivative holds 1/0 and is not finite. The values' own first derivative needs no such quotient and stays right
for symmetric functions of the values (sums, norms); at second order it is not finite.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from minigrad.errors import LinAlgError
from minigrad.frozen import dataclass
from minigrad.op import Array, NoGradient, Value, ndarray
from minigrad.ops.complex import complex_, imag
from minigrad.ops.contract import matmul
from minigrad.ops.elementwise import add, div, mul, sub
from minigrad.ops.kinds import Draw, Samples
from minigrad.ops.linalg import Factorization, TriangularSolve, scipy_linalg
from minigrad.ops.matrices import (
    adjoint,
    column,
    converging,
    diagonal,
    low,
    phase,
    quotients,
    real_part,
    row,
    transposed,
    turning,
    unit,
)
from minigrad.ops.pieces import Concatenate, slice_axis
from minigrad.types import TensorType, real_of


# ── the Hermitian part: what cholesky and eigh see of a matrix ───────────────────────────────────
def hermitian(x: Any) -> Any:
    """(x + xᴴ) / 2, so that derivatives in every direction exist and gradients are Hermitian."""
    return mul(add(x, adjoint(x)), 0.5)


def _hermitian(x: ndarray) -> ndarray:
    return np.asarray((x + np.conj(np.swapaxes(x, -1, -2))) / 2, x.dtype)


@dataclass(frozen=True)
class Cholesky(Factorization):
    """The lower triangular L with L·Lᴴ the Hermitian part of x, which must be positive definite."""

    drawn: ClassVar[dict[str, Any]] = {"diagonal": 6.0}

    def compute(self, x: ndarray) -> ndarray:
        try:
            return np.linalg.cholesky(_hermitian(x))
        except np.linalg.LinAlgError:
            raise LinAlgError(
                f"cholesky: {Array(x).type} is not positive definite",
                hint="a covariance that rounding spoilt: add a small multiple of eye(n)",
            ) from None

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # L⁻¹·Ȧ·L⁻ᴴ = L⁻¹L̇ + (L⁻¹L̇)ᴴ, a lower triangle plus its adjoint: L̇ is L times its lower half
        solve = TriangularSolve(lower=True)
        inside = solve(y, adjoint(solve(y, hermitian(dots[0]))))
        return matmul(y, mul(add(low(inside), low(inside, -1)), 0.5))


# ── eigenvalues ──────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Eigh(Factorization):
    """(w, V) with V·diag(w)·Vᴴ the Hermitian part of x: w real and rising, V unitary. See Note [Degenerate].

    The largest component of a complex eigenvector is made real and positive.
    """

    many = True
    complex_shape = (3, 3)

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        self.matrices(x)
        return TensorType(x.shape[:-1], real_of(x.dtype)), x

    def compute(self, x: ndarray) -> Any:
        w, v = converging(self.label, np.linalg.eigh, _hermitian(x))
        return w, v * phase(v) if v.dtype.kind == "c" else v

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        w, v = y
        inside = matmul(adjoint(v), matmul(hermitian(dots[0]), v))
        w_dot = real_part(diagonal(inside))
        v_dot = matmul(v, mul(quotients(sub(row(w), column(w))), inside))  # V̇ = V·(VᴴȦV / (w_j − w_i))
        return w_dot, add(v_dot, mul(v, turning(v, v_dot))) if v.dtype.kind == "c" else v_dot


@dataclass(frozen=True)
class Eigvalsh(Factorization):
    """The eigenvalues alone, rising: ẇ = diag(VᴴȦV). The vectors are computed only where a derivative is wanted."""

    complex_shape = (3, 3)

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        return TensorType(self.matrices(x).shape[:-1], real_of(x.dtype))

    def compute(self, x: ndarray) -> Any:
        return converging(self.label, np.linalg.eigvalsh, _hermitian(x))

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        _, v = Eigh()(xs[0])
        return real_part(diagonal(matmul(adjoint(v), matmul(hermitian(dots[0]), v))))


# ── singular values ──────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Svd(Factorization):
    """(U, s, Vᴴ) with U·diag(s)·Vᴴ = x, s ≥ 0 and falling: [.., m, k], [.., k], [.., k, n], k = min(m, n).

    `full`: U [.., m, m] and Vᴴ [.., n, n], whose further vectors are arbitrary, so it has no derivative. That of the
    reduced one needs distinct singular values (Note [Degenerate]), and none of them 0 unless x is real and square.
    The largest component of a complex left vector is made real and positive.
    """

    full: bool = False
    many = True
    square = False
    shapes = ((3, 3), (3, 2), (2, 2, 3), (1, 1), (0, 2), (0, 2, 2))
    complex_shape = (3, 2)

    @property
    def no_gradient(self) -> NoGradient | None:  # type: ignore[override]
        why = "the vectors that fill up the full matrices are arbitrary; use full_matrices=False, or svdvals"
        return NoGradient(why, refuse=True) if self.full else None

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        *lanes, m, n = self.matrices(x).shape
        k = min(m, n)
        left, right = ((*lanes, m, m), (*lanes, n, n)) if self.full else ((*lanes, m, k), (*lanes, k, n))
        return x.with_shape(left), TensorType((*lanes, k), real_of(x.dtype)), x.with_shape(right)

    def compute(self, x: ndarray) -> Any:
        u, s, vh = converging(self.label, np.linalg.svd, x, full_matrices=self.full)
        if u.dtype.kind != "c":
            return u, s, vh
        k = s.shape[-1]
        turn = phase(u[..., :k])
        u, vh = u.copy(), vh.copy()
        u[..., :k] *= turn
        vh[..., :k, :] *= np.conj(np.swapaxes(turn, -1, -2))
        return u, s, vh

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        u, s, vh = y
        v, x_dot = adjoint(vh), dots[0]
        m, n, k = u.shape[-2], v.shape[-2], s.shape[-1]
        inside = matmul(adjoint(u), matmul(x_dot, v))  # UᴴȦV
        f = quotients(mul(sub(row(s), column(s)), add(row(s), column(s))))  # 1 / (s_j² − s_i²)
        right, left = mul(inside, row(s)), mul(inside, column(s))
        # U̇ = U·f∘(MS + SMᴴ), V̇ = V·f∘(SM + MᴴS), and outside the spaces of U and V what Ȧ adds, over s
        u_dot = matmul(u, mul(f, add(right, adjoint(right))))
        v_dot = matmul(v, mul(f, add(left, adjoint(left))))
        if m > k:
            u_dot = add(u_dot, div(sub(matmul(x_dot, v), matmul(u, inside)), row(s)))
        if n > k:
            v_dot = add(v_dot, div(sub(matmul(adjoint(x_dot), u), matmul(v, adjoint(inside))), row(s)))
        if u.dtype.kind == "c":  # u_i and v_i turn against each other by Im(M_ii)/s_i, and together for the phase
            u_dot = add(u_dot, mul(u, row(complex_(0.0, div(imag(diagonal(inside)), s)))))
            together = turning(u, u_dot)
            u_dot, v_dot = add(u_dot, mul(u, together)), add(v_dot, mul(v, together))
        return u_dot, real_part(diagonal(inside)), adjoint(v_dot)

    @classmethod
    def samples(cls) -> Samples:
        yield from super().samples()
        yield cls(full=True), (Draw((3, 2)),)


@dataclass(frozen=True)
class SingularValues(Factorization):
    """The singular values alone, falling: ṡ = Re diag(UᴴȦV). The vectors only where a derivative is wanted."""

    label = "svdvals"
    square = False
    shapes = ((3, 3), (3, 2), (2, 2, 3), (0, 2))
    complex_shape = (2, 3)

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        *lanes, m, n = self.matrices(x).shape
        return TensorType((*lanes, min(m, n)), real_of(x.dtype))

    def compute(self, x: ndarray) -> Any:
        return converging(self.label, np.linalg.svd, x, compute_uv=False)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        u, _, vh = Svd()(xs[0])
        return real_part(diagonal(matmul(adjoint(u), matmul(dots[0], adjoint(vh)))))


# ── the rest ─────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Qr(Factorization):
    """(Q, R) with Q·R = x, Q [.., m, n] with orthonormal columns, R [.., n, n] upper triangular with a real diagonal.

    x [.., m, n] is not wider than high (`linalg.qr` takes wide ones). Its columns must be independent for the
    derivative. `complete`: Q [.., m, m], whose further columns are arbitrary, so it has no derivative.
    """

    complete: bool = False
    many = True
    square = False
    shapes = ((3, 3), (3, 2), (2, 2, 2), (2, 0), (0, 2, 1))
    complex_shape = (3, 2)
    drawn: ClassVar[dict[str, Any]] = {"diagonal": 3.0}

    @property
    def no_gradient(self) -> NoGradient | None:  # type: ignore[override]
        why = "the columns that fill up a complete Q are arbitrary; use mode='reduced'"
        return NoGradient(why, refuse=True) if self.complete else None

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        *lanes, m, n = self.matrices(x).shape
        k = m if self.complete else n
        return x.with_shape((*lanes, m, k)), x.with_shape((*lanes, k, n))

    def compute(self, x: ndarray) -> Any:
        return tuple(np.linalg.qr(x, mode="complete" if self.complete else "reduced"))

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # ȦR⁻¹ = Q̇ + QṘR⁻¹. With C = QᴴȦR⁻¹, QᴴQ̇ = Ω is skew and equals C below the diagonal, ṘR⁻¹ = C − Ω
        q, r = y
        outside = transposed(TriangularSolve(lower=True)(transposed(r), transposed(dots[0])))  # ȦR⁻¹
        inside = matmul(adjoint(q), outside)
        below = low(inside, -1)
        skew = sub(below, adjoint(below))
        if q.dtype.kind == "c":  # the diagonal of R stays real
            along = complex_(0.0, imag(diagonal(inside)))
            skew = add(skew, mul(column(along), unit(r.shape[-1], r.dtype)))
        rest = sub(inside, skew)
        return sub(outside, matmul(q, rest)), matmul(rest, r)

    @classmethod
    def samples(cls) -> Samples:
        yield from super().samples()
        yield cls(complete=True), (Draw((3, 2)),)


@dataclass(frozen=True)
class Pinv(Factorization):
    """The pseudo-inverse: singular values at most rtol times the largest count as 0 (None: max(m, n)·eps).

    The derivative (Golub and Pereyra 1973) is that among matrices of the same rank.
    """

    rtol: float | None = None
    square = False

    def out_type(self, x: TensorType) -> Any:  # type: ignore[override]
        *lanes, m, n = self.matrices(x).shape
        return x.with_shape((*lanes, n, m))

    def compute(self, x: ndarray) -> Any:
        rtol = max(x.shape[-2:]) * float(np.finfo(x.dtype).eps) if self.rtol is None else self.rtol
        return np.asarray(converging(self.label, np.linalg.pinv, x, rtol), x.dtype)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        # −A⁺ȦA⁺ + A⁺A⁺ᴴȦᴴ(1 − AA⁺) + (1 − A⁺A)ȦᴴA⁺ᴴA⁺
        (x,), (x_dot,) = xs, dots
        turned, y_adjoint = adjoint(x_dot), adjoint(y)
        right = matmul(matmul(y, y_adjoint), turned)  # A⁺A⁺ᴴȦᴴ
        left = matmul(turned, matmul(y_adjoint, y))  # ȦᴴA⁺ᴴA⁺
        right, left = sub(right, matmul(matmul(right, x), y)), sub(left, matmul(y, matmul(x, left)))
        return sub(add(right, left), matmul(y, matmul(x_dot, y)))

    @classmethod
    def samples(cls) -> Samples:
        for shape in [(3, 2), (2, 3), (2, 2, 2), (0, 2)]:
            yield cls(), (Draw(shape, diagonal=3.0),)
        yield cls(1e-9), (Draw((3, 2), "complex128", diagonal=3.0),)


@dataclass(frozen=True)
class Expm(Factorization):
    """The matrix exponential Σ xᵏ/k!."""

    shapes = ((2, 2), (2, 2, 2), (1, 1), (0, 0))
    drawn: ClassVar[dict[str, Any]] = {"domain": (-1.0, 1.0)}

    def compute(self, x: ndarray) -> Any:
        return np.asarray(scipy_linalg.expm(x), x.dtype)

    def jvp(self, y: Any, xs: Sequence[Value], dots: Sequence[Any]) -> Any:
        return frechet(xs[0], dots[0])

    def vjp(self, y_bar: Any, y: Any, xs: Sequence[Value], wanted: Sequence[bool]) -> Any:
        return [frechet(transposed(xs[0]), y_bar)]  # every term AⁱȦAʲ of the series transposes to one of Aᵀ


def frechet(x: Any, x_dot: Any) -> Any:
    """The derivative of exp at x along x_dot: the upper right block of exp [[x, x_dot], [0, x]]."""
    n, rank = x.shape[-1], len(x.shape)
    upper = Concatenate(rank - 1)(x, x_dot)
    lower = Concatenate(rank - 1)(sub(x, x), x)
    y = Expm()(Concatenate(rank - 2)(upper, lower))
    return slice_axis(slice_axis(y, -2, 0, n), -1, n, 2 * n)
