"""Linear algebra: the Array API's `linalg` extension, and from NumPy and SciPy cond, expm, lstsq, multi_dot, norm, ...

Floor 5. Matrices are the last two axes, [.., m, n]; leading axes are a stack. Floats and complex numbers of either
width; integers become float32. LAPACK computes; derivatives (forward, reverse, batched, any order) come with the ops.
A matrix that is singular, or not positive definite, where it must be: `LinAlgError`. One that holds nan or inf gives
nan, and leaves the others of its stack alone.
"""

# ruff: noqa: I001
# fmt: off
from minigrad.numpy.linalg.factorizations import (
    EighResult, QRResult, SVDResult, cholesky, eigh, eigvalsh, matrix_rank, qr, svd, svdvals,
)
from minigrad.numpy.linalg.norms import cond, matrix_norm, norm, vector_norm
from minigrad.numpy.linalg.products import diagonal, expm, matrix_power, multi_dot, trace
from minigrad.numpy.linalg.systems import (
    LstsqResult, SlogdetResult, det, inv, lstsq, pinv, slogdet, solve, solve_triangular,
)
from minigrad.numpy.linear_algebra import cross, matmul, outer, tensordot, vecdot
from minigrad.numpy.manipulation import matrix_transpose

__all__ = [
    "EighResult", "LstsqResult", "QRResult", "SVDResult", "SlogdetResult", "cholesky", "cond", "cross", "det",
    "diagonal", "eigh", "eigvalsh", "expm", "inv", "lstsq", "matmul", "matrix_norm", "matrix_power", "matrix_rank",
    "matrix_transpose", "multi_dot", "norm", "outer", "pinv", "qr", "slogdet", "solve", "solve_triangular", "svd",
    "svdvals", "tensordot", "trace", "vecdot", "vector_norm",
]
