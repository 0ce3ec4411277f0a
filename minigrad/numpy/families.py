"""What functions have in common, at the end of the docstring of each: dtypes, the derivative, errors.

Floor 5. A line of the table is said of every function it names; what a function alone does stands in its own
docstring. (Those made of a row of the table of ops are told by `named.facts`.)
"""

from __future__ import annotations

from types import ModuleType

FITS = "Axes and numbers that do not fit are an ArgumentError, shapes a ShapeError."
FAMILIES: dict[str, str] = {
    f"Of any dtype, which is kept; several promote to one. The derivative goes where the elements go. {FITS}": """
        append array array_split asarray atleast_1d atleast_2d atleast_3d block broadcast_arrays broadcast_to
        column_stack concat concatenate diag diagflat diagonal dsplit dstack expand_dims fft.fftshift fft.ifftshift
        flip fliplr flipud hsplit hstack linalg.diagonal linalg.matrix_transpose matrix_transpose meshgrid moveaxis
        pad permute_dims positive put_along_axis ravel repeat reshape roll rollaxis rot90 select split squeeze stack
        swapaxes take take_along_axis tile transpose tril triu unstack vsplit vstack where piecewise
        """,
    f"Bools and small integers add up in int64 or uint64, other dtypes in their own. Differentiable. {FITS}": """
        cumprod cumsum cumulative_prod cumulative_sum linalg.trace nancumprod nancumsum nanprod nansum prod sum trace
        """,
    f"Integers give float32, floats and complex numbers keep their width. Differentiable. {FITS}": """
        average gradient mean nanmean nanvar trapezoid unwrap var cov corrcoef
        """,
    f"Integers give float32, floats keep their width. Where it is 0 the derivative is taken as 0. {FITS}": """
        nanstd std
        """,
    "Of real numbers, in their dtype; equal ones share the derivative. Of nothing, unless there is an `initial`, an "
    "ArgumentError; of complex numbers a DtypeError.": """
        amax amin max min nanmax nanmin ptp
        """,
    "Of real numbers, in their dtype; the first of equal ones has the derivative. Of complex numbers a DtypeError.": """
        cummax cummin
        """,
    f"In x's dtype; of equal elements each keeps its own derivative, in their order. {FITS}": """
        partition sort top_k unique unique_all unique_counts unique_inverse unique_values
        """,
    "Integers give float32, floats keep their width; a nan gives nan. The elements taken have the derivative. Of "
    "nothing an ArgumentError.": "median nanmedian nanpercentile nanquantile percentile quantile",
    "Operands promote to one dtype, in which the result is; integers stay integers. Differentiable by each. "
    "Shapes that do not fit are a ShapeError.": """
        convolve correlate cross diff dot einsum inner kron linalg.cross linalg.matmul linalg.matrix_power
        linalg.multi_dot linalg.outer linalg.tensordot linalg.vecdot matmul outer polyval square tensordot
        vander vdot vecdot
        """,
    "Integers become float32, leading axes are a batch. Differentiable, save where said. What is no such matrix is a "
    "ShapeError, what has no answer a LinAlgError.": """
        linalg.cholesky linalg.cond linalg.det linalg.eigh linalg.eigvalsh linalg.expm linalg.inv linalg.lstsq
        linalg.matrix_norm linalg.norm linalg.pinv linalg.qr linalg.slogdet linalg.solve
        linalg.solve_triangular linalg.svd linalg.svdvals linalg.vector_norm
        """,
    "Integers become float32; the width stays. Linear, so its derivative is a transform, too. An unknown norm, and "
    "sizes below 1, are an ArgumentError.": """
        fft.fft fft.fft2 fft.fftn fft.hfft fft.ifft fft.ifft2 fft.ifftn fft.ihfft fft.irfft fft.irfft2 fft.irfftn
        fft.rfft fft.rfft2 fft.rfftn
        """,
    "Gives bool, so there is no derivative. Shapes broadcast, or are a ShapeError.": """
        all allclose any array_equal isclose isin isinf logical_and logical_not logical_or logical_xor signbit
        """,
    f"Gives int64 positions or counts, so there is no derivative. {FITS}": """
        argmax argmin argpartition argsort argwhere bincount count_nonzero digitize flatnonzero lexsort
        linalg.matrix_rank nanargmax nanargmin nonzero searchsorted
        """,
    "Of floats (integers and bools become float32), in their width; shapes broadcast. Differentiable, save where "
    "said.": """
        angle deg2rad degrees divmod fabs float_power fmax fmin geomspace heaviside interp linspace logaddexp2
        logspace rad2deg radians rint sinc special.betainc special.gammainc
        special.gammaincc special.i0 special.i0e special.i1 special.i1e special.logsumexp special.multigammaln
        special.ndtr
        special.polygamma special.zeta
        """,
    "In x's dtype and shape. Where it is another number than x the derivative is 0.": "clip nan_to_num",
    "A constant. Sizes below 0, and dtypes and devices that there are not, are an error that names the known ones.": """
        arange empty empty_like eye fft.fftfreq fft.rfftfreq full full_like identity ones ones_like tri zeros zeros_like
        """,
}  # fmt: skip


def tell(namespace: ModuleType) -> None:
    """Put what the table says into the docstrings, before the example. An alias is told once."""
    told: set[int] = set()
    for sentence, names in FAMILIES.items():
        for name in names.split():
            function = namespace
            for part in name.split("."):
                function = getattr(function, part)
            if id(function) not in told:
                told.add(id(function))
                before, example, after = (function.__doc__ or "").partition(">>>")
                indent = before[len(before.rstrip(" ")) :]
                function.__doc__ = f"{before.rstrip()}\n\n{indent}{sentence}\n\n{indent}{example}{after}"
