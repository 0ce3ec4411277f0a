"""The parameters of every function: those of the Python Array API standard 2024.12, and those of NumPy.

Each function has the standard's parameters, under its names, in its order, with its kinds and defaults. It may have
more of them, by keyword only, which a conforming program never passes. Two tables say what else there is: where NumPy's
users pass by position what the standard has by keyword only, and which of NumPy's own parameters are left out, and why.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from operator import attrgetter
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.op import Array

POSITIONAL_ONLY, POSITIONAL, KEYWORD = (
    inspect.Parameter.POSITIONAL_ONLY,
    inspect.Parameter.POSITIONAL_OR_KEYWORD,
    inspect.Parameter.KEYWORD_ONLY,
)

STANDARD = """
arange(start, /, stop=None, step=1, *, dtype=None, device=None)
asarray(obj, /, *, dtype=None, device=None, copy=None)
empty(shape, *, dtype=None, device=None)
empty_like(x, /, *, dtype=None, device=None)
eye(n_rows, n_cols=None, /, *, k=0, dtype=None, device=None)
from_dlpack(x, /, *, device=None, copy=None)
full(shape, fill_value, *, dtype=None, device=None)
full_like(x, /, fill_value, *, dtype=None, device=None)
linspace(start, stop, /, num, *, dtype=None, device=None, endpoint=True)
meshgrid(*arrays, indexing='xy')
ones(shape, *, dtype=None, device=None)
ones_like(x, /, *, dtype=None, device=None)
tril(x, /, *, k=0)
triu(x, /, *, k=0)
zeros(shape, *, dtype=None, device=None)
zeros_like(x, /, *, dtype=None, device=None)
astype(x, dtype, /, *, copy=True, device=None)
can_cast(from_, to, /)
finfo(type, /)
iinfo(type, /)
isdtype(dtype, kind)
result_type(*arrays_and_dtypes)
abs(x, /)
acos(x, /)
acosh(x, /)
add(x1, x2, /)
asin(x, /)
asinh(x, /)
atan(x, /)
atan2(x1, x2, /)
atanh(x, /)
bitwise_and(x1, x2, /)
bitwise_left_shift(x1, x2, /)
bitwise_invert(x, /)
bitwise_or(x1, x2, /)
bitwise_right_shift(x1, x2, /)
bitwise_xor(x1, x2, /)
ceil(x, /)
clip(x, /, min=None, max=None)
conj(x, /)
copysign(x1, x2, /)
cos(x, /)
cosh(x, /)
divide(x1, x2, /)
equal(x1, x2, /)
exp(x, /)
expm1(x, /)
floor(x, /)
floor_divide(x1, x2, /)
greater(x1, x2, /)
greater_equal(x1, x2, /)
hypot(x1, x2, /)
imag(x, /)
isfinite(x, /)
isinf(x, /)
isnan(x, /)
less(x1, x2, /)
less_equal(x1, x2, /)
log(x, /)
log1p(x, /)
log2(x, /)
log10(x, /)
logaddexp(x1, x2, /)
logical_and(x1, x2, /)
logical_not(x, /)
logical_or(x1, x2, /)
logical_xor(x1, x2, /)
maximum(x1, x2, /)
minimum(x1, x2, /)
multiply(x1, x2, /)
negative(x, /)
nextafter(x1, x2, /)
not_equal(x1, x2, /)
positive(x, /)
pow(x1, x2, /)
real(x, /)
reciprocal(x, /)
remainder(x1, x2, /)
round(x, /)
sign(x, /)
signbit(x, /)
sin(x, /)
sinh(x, /)
square(x, /)
sqrt(x, /)
subtract(x1, x2, /)
tan(x, /)
tanh(x, /)
trunc(x, /)
take(x, indices, /, *, axis=None)
take_along_axis(x, indices, /, *, axis=-1)
matmul(x1, x2, /)
matrix_transpose(x, /)
tensordot(x1, x2, /, *, axes=2)
vecdot(x1, x2, /, *, axis=-1)
broadcast_arrays(*arrays)
broadcast_to(x, /, shape)
concat(arrays, /, *, axis=0)
expand_dims(x, /, axis)
flip(x, /, *, axis=None)
moveaxis(x, source, destination, /)
permute_dims(x, /, axes)
repeat(x, repeats, /, *, axis=None)
reshape(x, /, shape, *, copy=None)
roll(x, /, shift, *, axis=None)
squeeze(x, /, axis)
stack(arrays, /, *, axis=0)
tile(x, repetitions, /)
unstack(x, /, *, axis=0)
argmax(x, /, *, axis=None, keepdims=False)
argmin(x, /, *, axis=None, keepdims=False)
count_nonzero(x, /, *, axis=None, keepdims=False)
nonzero(x, /)
searchsorted(x1, x2, /, *, side='left', sorter=None)
where(condition, x1, x2, /)
unique_all(x, /)
unique_counts(x, /)
unique_inverse(x, /)
unique_values(x, /)
argsort(x, /, *, axis=-1, descending=False, stable=True)
sort(x, /, *, axis=-1, descending=False, stable=True)
cumulative_sum(x, /, *, axis=None, dtype=None, include_initial=False)
cumulative_prod(x, /, *, axis=None, dtype=None, include_initial=False)
max(x, /, *, axis=None, keepdims=False)
mean(x, /, *, axis=None, keepdims=False)
min(x, /, *, axis=None, keepdims=False)
prod(x, /, *, axis=None, dtype=None, keepdims=False)
std(x, /, *, axis=None, correction=0.0, keepdims=False)
sum(x, /, *, axis=None, dtype=None, keepdims=False)
var(x, /, *, axis=None, correction=0.0, keepdims=False)
all(x, /, *, axis=None, keepdims=False)
any(x, /, *, axis=None, keepdims=False)
diff(x, /, *, axis=-1, n=1, prepend=None, append=None)
linalg.cholesky(x, /, *, upper=False)
linalg.cross(x1, x2, /, *, axis=-1)
linalg.det(x, /)
linalg.diagonal(x, /, *, offset=0)
linalg.eigh(x, /)
linalg.eigvalsh(x, /)
linalg.inv(x, /)
linalg.matmul(x1, x2, /)
linalg.matrix_norm(x, /, *, keepdims=False, ord='fro')
linalg.matrix_power(x, n, /)
linalg.matrix_rank(x, /, *, rtol=None)
linalg.matrix_transpose(x, /)
linalg.outer(x1, x2, /)
linalg.pinv(x, /, *, rtol=None)
linalg.qr(x, /, *, mode='reduced')
linalg.slogdet(x, /)
linalg.solve(x1, x2, /)
linalg.svd(x, /, *, full_matrices=True)
linalg.svdvals(x, /)
linalg.tensordot(x1, x2, /, *, axes=2)
linalg.trace(x, /, *, offset=0, dtype=None)
linalg.vecdot(x1, x2, /, *, axis=-1)
linalg.vector_norm(x, /, *, axis=None, keepdims=False, ord=2)
fft.fft(x, /, *, n=None, axis=-1, norm='backward')
fft.ifft(x, /, *, n=None, axis=-1, norm='backward')
fft.fftn(x, /, *, s=None, axes=None, norm='backward')
fft.ifftn(x, /, *, s=None, axes=None, norm='backward')
fft.rfft(x, /, *, n=None, axis=-1, norm='backward')
fft.irfft(x, /, *, n=None, axis=-1, norm='backward')
fft.rfftn(x, /, *, s=None, axes=None, norm='backward')
fft.irfftn(x, /, *, s=None, axes=None, norm='backward')
fft.hfft(x, /, *, n=None, axis=-1, norm='backward')
fft.ihfft(x, /, *, n=None, axis=-1, norm='backward')
fft.fftfreq(n, /, *, d=1.0, dtype=None, device=None)
fft.rfftfreq(n, /, *, d=1.0, dtype=None, device=None)
fft.fftshift(x, /, *, axes=None)
fft.ifftshift(x, /, *, axes=None)
array.__abs__(self, /)
array.__add__(self, other, /)
array.__and__(self, other, /)
array.__array_namespace__(self, /, *, api_version=None)
array.__bool__(self, /)
array.__complex__(self, /)
array.__dlpack__(self, /, *, stream=None, max_version=None, dl_device=None, copy=None)
array.__dlpack_device__(self, /)
array.__eq__(self, other, /)
array.__float__(self, /)
array.__floordiv__(self, other, /)
array.__ge__(self, other, /)
array.__getitem__(self, key, /)
array.__gt__(self, other, /)
array.__index__(self, /)
array.__int__(self, /)
array.__invert__(self, /)
array.__le__(self, other, /)
array.__lshift__(self, other, /)
array.__lt__(self, other, /)
array.__matmul__(self, other, /)
array.__mod__(self, other, /)
array.__mul__(self, other, /)
array.__ne__(self, other, /)
array.__neg__(self, /)
array.__or__(self, other, /)
array.__pos__(self, /)
array.__pow__(self, other, /)
array.__rshift__(self, other, /)
array.__setitem__(self, key, value, /)
array.__sub__(self, other, /)
array.__truediv__(self, other, /)
array.__xor__(self, other, /)
array.to_device(self, device, /, *, stream=None)
"""

# What NumPy's users pass by position, too: parameter -> (functions, how).
ALSO_POSITIONAL: dict[str, tuple[str, str]] = {
    "axis": (
        "sum prod mean std var max min any all argmax argmin count_nonzero sort argsort diff flip roll repeat take "
        "take_along_axis concat stack fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft",
        "np.sum(x, 0), np.concatenate([x, y], 1), np.fft.fft(x, n, 0)",
    ),
    "axes": (
        "tensordot linalg.tensordot fft.fftn fft.ifftn fft.rfftn fft.irfftn fft.fftshift fft.ifftshift",
        "np.tensordot(x, y, 1), np.fft.fftshift(x, 0)",
    ),
    "n": ("diff fft.fft fft.ifft fft.rfft fft.irfft fft.hfft fft.ihfft", "np.diff(x, 2), np.fft.fft(x, 64)"),
    "s": ("fft.fftn fft.ifftn fft.rfftn fft.irfftn", "np.fft.fftn(x, (8, 8))"),
    "d": ("fft.fftfreq fft.rfftfreq", "np.fft.fftfreq(n, 0.1)"),
    "dtype": (
        "asarray zeros ones empty full zeros_like ones_like empty_like full_like",
        "np.asarray(x, float), np.zeros(3, int)",
    ),
    "k": ("eye tril triu", "np.triu(x, 1), np.eye(3, 3, 1)"),
    "side": ("searchsorted", "np.searchsorted(x, y, 'right')"),
    "rtol": ("linalg.pinv", "np.linalg.pinv(x, 1e-8)"),
    "full_matrices": ("linalg.svd", "np.linalg.svd(x, False)"),
}
# Parameters the standard does not have that are not by keyword only, and defaults where it has none.
MORE = {
    "round": {"decimals": "np.round(x, 2)"},
    "squeeze": {"axis": "np.squeeze(x): all axes of size 1"},
    "linspace": {"num": "np.linspace(0, 1): 50"},
    "where": {"x1": "np.where(condition): nonzero", "x2": "np.where(condition): nonzero"},
}


def parameters(function: Any) -> list[inspect.Parameter]:
    return [p for p in inspect.signature(function).parameters.values() if p.name != "self"]


def of_standard(line: str) -> list[inspect.Parameter]:
    found: dict[str, Any] = {}
    exec(f"def function{line[line.index('(') :]}: ...", found)
    return parameters(found["function"])


LINES = STANDARD.split("\n")[1:-1]


@pytest.mark.parametrize("line", LINES, ids=[line.partition("(")[0] for line in LINES])
def test_as_the_standard(line: str) -> None:
    name = line.partition("(")[0]
    method = name.startswith("array.")
    wanted, more = of_standard(line), MORE.get(name, {})
    ours = parameters(getattr(Array, name[6:]) if method else attrgetter(name)(mnp))
    if method and len(ours) > len(wanted):
        ours = ours[1:]  # the array itself, called x
    by_name = {p.name: p for p in ours}
    assert [p.name for p in ours if p.kind is POSITIONAL_ONLY] == [p.name for p in wanted if p.kind is POSITIONAL_ONLY]
    for i, p in enumerate(wanted):
        q = by_name[p.name]
        assert q.default == p.default or (p.name in more and p.default is p.empty), q
        if q.kind is not p.kind:
            assert (p.kind, q.kind) == (KEYWORD, POSITIONAL) and name in ALSO_POSITIONAL[p.name][0].split(), q
        elif p.kind is not KEYWORD:
            assert ours[i] is q, "in another place"
    names = {p.name for p in wanted}
    assert all(p.kind is KEYWORD or p.name in more for p in ours if p.name not in names)


def test_the_tables_list_nothing_else() -> None:
    """What is by keyword only here as well has no business in the table."""
    for parameter, (names, _) in ALSO_POSITIONAL.items():
        for name in names.split():
            assert inspect.signature(attrgetter(name)(mnp)).parameters[parameter].kind is POSITIONAL, (name, parameter)


# ── NumPy's ──────────────────────────────────────────────────────────────────────────────────────
# parameters that no function here has, and those that only some leave out
NOWHERE = {
    "out": "an array cannot be written to",
    "like": "an array of another library is made by that library",
    "subok": "there is one class of arrays",
    "casting": "what would lose digits is converted by dtype= or astype, or not at all",
    "kwargs": "NumPy's name for where=, dtype= and others of a ufunc",
    "overwrite_input": "an array cannot be written to",
    "hermitian": "LAPACK's faster way for Hermitian matrices; eigh takes it",
}
LEFT_OUT = {
    "order": "how an array lies in memory is not its business; reshape and ravel have it",
    "mean": "only saves computing it again",
    "copy": "nobody can tell a copy from a view of what cannot be written",
    "kind": "of sort and argsort only: others do not sort",
    "weights": "of average, histogram, bincount, cov only",
    "method": "of quantile and percentile only",
    "initial": "of sum, prod, max, min only", "where": "of plain reductions only: nan is what the others leave out",
    "dtype": "what is joined or compared is converted before, or after",
    "shape": "zeros(shape, x.dtype)", "sorted": "always", "returned": "of average: sum(weights)",
    "axis": "of linspace and its kin: moveaxis(y, 0, axis)", "mode": "of take: positions out of range are an error",
    "axisa": "moveaxis", "axisb": "moveaxis", "axisc": "moveaxis", "UPLO": "the Hermitian part is taken",
    "assume_unique": "a hint", "period": "interp(x % period, ...)", "ndmax": "what is too deep is an error",
}  # fmt: skip


def shared(theirs: Any, ours: Any, prefix: str = "") -> Iterator[tuple[str, Any, Any]]:
    """(name, NumPy's, ours) of every function both have whose parameters NumPy tells."""
    for name in ours.__all__:
        f, g = getattr(theirs, name, None), getattr(ours, name)
        if isinstance(g, ModuleType) and isinstance(f, ModuleType):
            yield from shared(f, g, f"{prefix}{name}.")
        elif callable(f) and callable(g) and not isinstance(f, (type, np.ufunc)) and not isinstance(g, type):
            yield prefix + name, f, g


SHARED = list(shared(np, mnp))


@pytest.mark.parametrize(("name", "theirs", "ours"), SHARED, ids=[name for name, *_ in SHARED])
def test_as_numpy(name: str, theirs: Any, ours: Any) -> None:
    """A NumPy parameter is taken, under its name or as an operand by position; or it is on the list."""
    assert missing(theirs, ours) <= {*NOWHERE, *LEFT_OUT}
    assert not {p.name for p in parameters(ours)} & NOWHERE.keys()


def by_position(function: Any, first: int, kind: Any) -> set[str]:
    return {p.name for p in parameters(function)[first:] if p.kind is kind}


@pytest.mark.parametrize(("name", "theirs", "ours"), SHARED, ids=[name for name, *_ in SHARED])
def test_what_numpy_takes_by_name(name: str, theirs: Any, ours: Any) -> None:
    """quantile(x, q=0.5): what has NumPy's name, and is not by position only in the standard, is taken by it."""
    if name not in {line.partition("(")[0] for line in LINES}:
        assert not by_position(ours, 1, POSITIONAL_ONLY) & by_position(theirs, 1, POSITIONAL)


def missing(theirs: Any, ours: Any) -> set[str]:
    names = {p.name for p in parameters(ours)}
    operands = sum(p.kind is POSITIONAL_ONLY for p in parameters(ours))
    return {
        p.name for i, p in enumerate(parameters(theirs))
        if p.name not in names and i >= operands and p.kind is not p.VAR_POSITIONAL
    }  # fmt: skip


def test_the_lists_have_no_word_too_many() -> None:
    assert {*NOWHERE, *LEFT_OUT} == set().union(*(missing(theirs, ours) for _, theirs, ours in SHARED))


@pytest.mark.parametrize("name", ["sum", "max", "sort", "linalg.svd", "reshape"])
def test_what_is_left_out_is_refused_by_name(name: str) -> None:
    for parameter in ("out", "like"):
        with pytest.raises(TypeError, match=f"{name.split('.')[-1]}.*'{parameter}'"):
            attrgetter(name)(mnp)(mnp.eye(2), **{parameter: None})
