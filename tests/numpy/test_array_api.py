"""The Python Array API standard, version 2024.12: what the array, DLPack and the inspection functions answer."""

from __future__ import annotations

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad.errors import ArgumentError
from minigrad.op import Array

REFLECTED = "radd rand rfloordiv rlshift rmatmul rmod rmul ror rpow rrshift rsub rtruediv rxor"


def test_the_array_object() -> None:
    for name in REFLECTED.split():
        assert hasattr(Array, f"__{name}__"), name
    x = mnp.ones((2, 3))
    assert (x.T.shape, x.mT.shape, x.ndim, x.size, x.dtype, x.device) == ((3, 2), (3, 2), 2, 6, mnp.float32, "cpu")
    assert x.__array_namespace__(api_version="2024.12") is mnp
    assert x.to_device("cpu") is x
    with pytest.raises(ArgumentError, match="unknown device 'gpu'"):
        x.to_device("gpu")
    with pytest.raises(ArgumentError, match="unknown api_version '1999'"):
        x.__array_namespace__(api_version="1999")


def test_dlpack_goes_both_ways_and_copies() -> None:
    x = mnp.asarray([1.0, 2.0])
    out = np.from_dlpack(x)
    out[0] = 5
    assert x.tolist() == [1.0, 2.0]
    theirs = np.arange(3)
    y = mnp.from_dlpack(theirs)
    theirs[0] = 7
    assert y.tolist() == [0, 1, 2]
    assert x.__dlpack_device__() == (1, 0)


def test_inspection() -> None:
    info = mnp.__array_namespace_info__()
    assert info.default_device() == "cpu" and info.devices() == ["cpu"]
    assert info.default_dtypes()["real floating"] == mnp.float32
    assert set(info.dtypes(kind="integral")) == {f"{s}int{n}" for s in ("", "u") for n in (8, 16, 32, 64)}
    assert info.dtypes(kind=("bool", "real floating")).keys() == {"bool", "float32", "float64"}
    assert info.capabilities()["boolean indexing"]


def test_dtype_questions() -> None:
    assert mnp.isdtype(mnp.float32, "numeric") and not mnp.isdtype(mnp.bool, "numeric")
    assert mnp.isdtype(mnp.complex64, ("bool", "complex floating"))
    assert mnp.result_type(mnp.int8, mnp.uint8) == mnp.int16
    assert mnp.result_type(mnp.float32, 1.0) == mnp.result_type(mnp.ones(2), 3) == mnp.float32
    assert mnp.result_type(mnp.int32, 1.5) == mnp.float32 and mnp.result_type(mnp.float64, 1j) == mnp.complex128
    assert mnp.can_cast(mnp.int8, mnp.int16) and not mnp.can_cast(mnp.ones(2, dtype=mnp.float64), mnp.float32)
    assert mnp.finfo(mnp.complex64).eps == mnp.finfo(mnp.ones(1)).eps == 2.0**-23
    assert (mnp.iinfo(mnp.uint8).max, mnp.iinfo(mnp.int8).min, mnp.iinfo(mnp.int32).bits) == (255, -128, 32)
    assert (mnp.e, mnp.pi, mnp.inf, mnp.newaxis) == (np.e, np.pi, np.inf, None) and mnp.nan != mnp.nan
