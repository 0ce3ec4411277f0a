"""minigrad.numpy.fft: values, derivatives, lanes and graphs of every transform and norm; dtypes; errors."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError, DtypeError
from minigrad.ops.kinds import Draw
from tests.numpy.functions import Function


def same(name: str, *draws: Draw, kinds: str = "fc", label: str = "", **more: Any) -> Function:
    ours, theirs = getattr(mnp.fft, name), getattr(np.fft, name)
    return Function(f"{name}{label}", lambda x: ours(x, **more), lambda x: theirs(x, **more), draws, kinds)


REAL = {"rfft", "ihfft", "rfftn", "rfft2"}
FUNCTIONS = [
    *[
        same(name, Draw((2, size, 2)), kinds="f" if name in REAL else "fc", label=f"-{size}-{norm}", axis=1, norm=norm)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for norm in ("backward", "ortho", "forward")
        for size in (4, 5)
    ],
    *[
        same(name, Draw((5,)), kinds="f" if name in REAL else "fc", label=f"-n{n}", n=n)
        for name in ("fft", "ifft", "rfft", "irfft", "hfft", "ihfft")
        for n in (1, 3, 8)
    ],
    *[
        same(name, Draw((2, 3, 4)), kinds="f" if name in REAL else "fc", label=f"-{norm}", norm=norm)
        for name in ("fftn", "ifftn", "rfftn", "irfftn")
        for norm in ("backward", "ortho", "forward")
    ],
    *[
        same(name, Draw((2, 3, 4)), kinds="f" if name in REAL else "fc", label="-axes", s=(4, 3), axes=(2, 0))
        for name in ("fftn", "ifftn", "rfftn", "irfftn")
    ],
    *[
        same(name, Draw((2, 3, 4)), kinds="f" if name in REAL else "fc", norm="ortho")
        for name in ("fft2", "ifft2", "rfft2", "irfft2")
    ],
    same("fftshift", Draw((3, 4))),
    same("ifftshift", Draw((3, 4))),
    same("fftshift", Draw((3, 5)), label="-axes", axes=1),
    same("ifftshift", Draw((3, 5)), label="-axes", axes=(-1,)),
]


def test_frequencies() -> None:
    for n in (1, 4, 5):
        for ours, theirs in ((mnp.fft.fftfreq, np.fft.fftfreq), (mnp.fft.rfftfreq, np.fft.rfftfreq)):
            np.testing.assert_array_equal(ours(n, d=0.1, dtype="float64"), theirs(n, 0.1))
            assert ours(n).dtype == mnp.float32


def test_dtypes() -> None:
    for given, complex_, real in [
        ("float32", "complex64", "float32"),
        ("float64", "complex128", "float64"),
        ("complex64", "complex64", "float32"),
        ("complex128", "complex128", "float64"),
        ("int64", "complex64", "float32"),
        ("bool", "complex64", "float32"),
    ]:
        x = np.ones(4, given)
        assert mnp.fft.fft(x).dtype == mnp.fft.ifftn(x).dtype == complex_
        assert mnp.fft.irfft(x).dtype == mnp.fft.hfft(x).dtype == real
        if "complex" not in given:
            assert mnp.fft.rfft(x).dtype == mnp.fft.ihfft(x).dtype == complex_


ERRORS = [
    (lambda: mnp.fft.fft(np.ones(3), n=0), ArgumentError, "fft: cannot transform 0 elements of f64[3]"),
    (lambda: mnp.fft.irfft(np.ones(1)), ArgumentError, "irfft: cannot transform 0 elements of f64[1]"),
    (lambda: mnp.fft.fft(np.ones((3, 0))), ArgumentError, "fft: cannot transform 0 elements of f64[3,0]"),
    (lambda: mnp.fft.fft(np.ones(3), norm="unit"), ArgumentError, "fft: unknown norm 'unit'"),
    (lambda: mnp.fft.fft(np.ones(3), axis=1), ArgumentError, "fft: axis 1 is out of range for f64[3] (rank 1)"),
    (lambda: mnp.fft.rfft(np.ones(3, complex)), DtypeError, "rfft takes real numbers, got c128[3]"),
    (lambda: mnp.fft.fftn(np.ones(3), s=(1, 2)), ArgumentError, "fftn: sizes (1, 2) for axes None of f64[3]"),
    (lambda: mnp.fft.rfftn(np.ones(())), ArgumentError, "rfftn: no axis of f64[] to transform"),
    (lambda: mnp.fft.fftfreq(0), ArgumentError, "fftfreq: n must be a positive integer, got 0"),
]


@pytest.mark.parametrize(("call", "kind", "text"), ERRORS, ids=lambda x: x[:30] if isinstance(x, str) else "")
def test_errors(call: Any, kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(text + "\n")


def test_every_function_has_a_line() -> None:
    names = " ".join(f.name for f in FUNCTIONS) + " fftfreq rfftfreq"
    assert [n for n in mnp.fft.__all__ if inspect.isfunction(getattr(mnp.fft, n)) and n not in names] == []
