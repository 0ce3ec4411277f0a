"""Random numbers: JAX's bit for bit (jax_random.json holds what JAX 0.10.2 gives), and the laws of keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import minigrad  # noqa: F401
from minigrad.errors import ArgumentError, DtypeError, MinigradError, ShapeError
from minigrad.graph import run
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops import random as r
from minigrad.types import LONG, UINT32, TensorType

# Floats are kept as their bits where they must be the same, as numbers where they need only be close.
JAX: dict[str, Any] = json.loads((Path(__file__).parent / "jax_random.json").read_text("utf-8"))
KEY, UINT64 = r.key(42), LONG["u64"]
GRID, LOGITS = np.arange(12).reshape(3, 4), np.log(np.array([[0.1, 0.2, 0.7], [0.5, 0.25, 0.25]], "float32"))
COLUMNS = np.log(np.array([[0.1, 0.2, 0.7], [0.9, 0.8, 0.3]], "float32"))

EXACT: dict[str, Any] = {
    "seed_-1": lambda: r.key(-1),
    "seed_big": lambda: r.key(2**40 + 5),
    "seed_uint": lambda: r.key(np.uint32(2**31)),
    "split": lambda: r.split(KEY, 3),
    "split2d": lambda: r.split(KEY, (2, 2)),
    "fold_in": lambda: r.fold_in(KEY, 7),
    "fold_in_neg": lambda: r.fold_in(KEY, np.int32(-5)),
    "bits": lambda: r.bits(KEY, (2, 3)),
    "bits8": lambda: r.bits(KEY, 4, "uint8"),
    "bits16": lambda: r.bits(KEY, (4,), "uint16"),
    "bits64": lambda: r.bits(KEY, (3,), "uint64"),
    "bits_scalar": lambda: r.bits(KEY),
    "uniform": lambda: r.uniform(KEY, (2, 3)),
    "uniform_scalar": lambda: r.uniform(KEY),
    "uniform64": lambda: r.uniform(KEY, (3,), "float64"),
    "randint": lambda: r.randint(KEY, (6,), -3, 10),
    "randint_u8": lambda: r.randint(KEY, (6,), 0, 256, "uint8"),
    "randint_i8": lambda: r.randint(KEY, (6,), -128, 128, "int8"),
    "randint_full": lambda: r.randint(KEY, (3,), -(2**31), 2**31 - 1),
    "randint_empty": lambda: r.randint(KEY, (2,), 5, 5),
    "randint_arr": lambda: r.randint(KEY, (2, 3), np.array([0, 10, 100]), np.array([[5], [200]])),
    "randint64": lambda: r.randint(KEY, (3,), -(10**12), 10**12, "int64"),
    "randint_u64": lambda: r.randint(KEY, (2,), 0, 2**63 - 1, "uint64"),
    "bernoulli": lambda: r.bernoulli(KEY, 0.3, (8,)),
    "bernoulli_arr": lambda: r.bernoulli(KEY, np.array([0.1, 0.5, 0.9], "float32")),
    "categorical": lambda: r.categorical(KEY, LOGITS),
    "categorical_shape": lambda: r.categorical(KEY, LOGITS, shape=(4, 2)),
    "categorical_axis0": lambda: r.categorical(KEY, COLUMNS, axis=0),
    "permutation": lambda: r.permutation(KEY, 10),
    "permutation_big": lambda: r.permutation(KEY, 3000)[:8],
    "permutation_axis": lambda: r.permutation(KEY, GRID, axis=1),
    "permutation_independent": lambda: r.permutation(KEY, GRID, axis=1, independent=True),
}
CLOSE: dict[str, Any] = {
    "normal": lambda: r.normal(KEY, (6,)),
    "normal64": lambda: r.normal(KEY, (3,), "float64"),
    "normal_c": lambda: Array(r.normal(KEY, (2,), "complex64").array.view("float32")),
    "truncated": lambda: r.truncated_normal(KEY, -1.0, 2.0, (4,)),
    "uniform_range": lambda: r.uniform(KEY, (4,), minval=-2.0, maxval=5.0),
    "exponential": lambda: r.exponential(KEY, (4,)),
    "gumbel": lambda: r.gumbel(KEY, (4,)),
}


def test_the_table_is_used_up() -> None:
    assert set(JAX) == set(EXACT) | set(CLOSE)


@pytest.mark.parametrize("name", EXACT)
def test_the_same_bits_as_jax(name: str) -> None:
    y = EXACT[name]().array
    assert (y.view(f"uint{8 * y.itemsize}") if y.dtype.kind == "f" else y).tolist() == JAX[name]


@pytest.mark.parametrize("name", CLOSE)
def test_within_three_ulp_of_jax(name: str) -> None:
    y = CLOSE[name]().array
    np.testing.assert_allclose(y, np.array(JAX[name]).astype(y.dtype), rtol=3 * float(np.finfo(y.dtype).eps))


def test_threefry_known_answers() -> None:
    """The vectors that come with the authors' own library, Random123 (threefry2x32, 20 rounds)."""
    ones = 0xFFFFFFFF
    pi = (0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3)
    for key, count, want in [
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((ones, ones), (ones, ones), (0x1CB996FC, 0xBB002BE7)),
        (*pi, (0xC4923A9C, 0x483DF7A0)),
    ]:
        start = np.uint64(count[0] << 32 | count[1])
        words = r.RandomBits((1,), UINT64)(np.array(key, "uint32"), start).item()
        assert (words >> 32, words & ones) == want


def test_blocks_and_streams_are_seamless() -> None:
    whole = r.RandomBits((40000,), UINT32)(KEY, 0).array
    later = r.RandomBits((100,), UINT32)(KEY, 20000).array
    np.testing.assert_array_equal(whole[20000:20100], later)
    np.testing.assert_array_equal(r.RandomBits((200, 200), UINT32)(KEY, 0).array.ravel(), whole)
    keys = r.split(KEY, 5)
    each = np.stack([r.RandomBits((7,), UINT32)(k, 0).array for k in keys])
    np.testing.assert_array_equal(r.RandomBits((7,), UINT32)(keys, np.zeros(5, "uint64")).array, each)


def test_over_many_keys_and_in_a_graph() -> None:
    keys = r.split(KEY, 4)
    draw = lambda k: [r.normal(k, (3,)), r.randint(k, (2,), 0, 9), r.permutation(k, 5)]
    together = batched(draw, [keys], [True], 4)
    for y, lanes in zip(together, zip(*[draw(k) for k in keys], strict=True), strict=True):
        np.testing.assert_array_equal(y.array, np.stack([v.array for v in lanes]))
    graph, _ = trace(draw, [TensorType((2,), UINT32)])
    for a, b in zip(run(graph, [keys[1]]), draw(keys[1]), strict=True):
        np.testing.assert_array_equal(a.array, b.array)
    assert sum(n.op.label == "randombits" for n in graph.nodes) <= 6


def test_distributions() -> None:
    n = 20000
    u, z = r.uniform(KEY, n, "float64").array, r.normal(KEY, n).array
    assert u.min() >= 0 and u.max() < 1 and abs(u.mean() - 0.5) < 0.01
    assert abs(z.mean()) < 0.03 and abs(z.std() - 1) < 0.03 and np.isfinite(z).all()
    assert abs(r.exponential(KEY, n).array.mean() - 1) < 0.03 and abs(r.gumbel(KEY, n).array.mean() - 0.5772) < 0.03
    t = r.truncated_normal(KEY, 0.5, 1.5, n).array
    assert t.min() > 0.5 and t.max() < 1.5
    counts = np.bincount(r.categorical(KEY, LOGITS[0], shape=(n,)).array) / n
    np.testing.assert_allclose(counts, [0.1, 0.2, 0.7], atol=0.02)
    assert sorted(r.permutation(KEY, 100).tolist()) == list(range(100)) and r.permutation(KEY, 0).shape == (0,)
    assert abs(r.bernoulli(KEY, 0.25, (n,)).array.mean() - 0.25) < 0.02


def test_dtypes_by_default() -> None:
    assert r.uniform(KEY).dtype == r.normal(KEY).dtype == np.float32 and r.bits(KEY).dtype == np.uint32
    assert r.randint(KEY, (), 0, 2).dtype == np.int32 and r.permutation(KEY, 3).dtype == np.int64
    assert r.normal(KEY, dtype="complex128").dtype == np.complex128 and r.bernoulli(KEY).dtype == np.bool_


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: r.key(2**63), ArgumentError, f"key: {2**63} does not lie between {-(2**63)} and {2**63 - 1}"),
        (lambda: r.key(1.5), DtypeError, "key: an integer scalar is wanted, got f32[]"),
        (lambda: r.key(np.arange(3)), DtypeError, "key: an integer scalar is wanted, got i64[3]"),
        (lambda: r.fold_in(KEY, -1), ArgumentError, "fold_in: -1 does not lie between 0 and 4294967295"),
        (lambda: r.uniform(np.ones(3)), DtypeError, "uniform: a key is u32[2], got f64[3]"),
        (lambda: r.split(r.split(KEY)), DtypeError, "split: a key is u32[2], got u32[2,2]"),
        (lambda: r.uniform(KEY, (-1,)), ArgumentError, "uniform: a size cannot be negative, got shape (-1,)"),
        (lambda: r.uniform(KEY, (2,), "int32"), DtypeError, "uniform: a float dtype is wanted, got int32"),
        (
            lambda: r.uniform(KEY, (2,), minval=np.zeros(3)),
            ShapeError,
            "uniform: shapes (3,) and (2,) do not broadcast: axis -1 has sizes 3 and 2",
        ),
        (lambda: r.uniform(KEY, (), minval=np.zeros(3)), ShapeError, "uniform: f32[3] does not broadcast to shape ()"),
        (lambda: r.bits(KEY, (2,), "int32"), DtypeError, "bits: an unsigned integer dtype is wanted, got int32"),
        (lambda: r.randint(KEY, (2,), 0, 3, "float32"), DtypeError, "randint: an integer dtype is wanted, got float32"),
        (lambda: r.randint(KEY, (2,), 0, 3.5), DtypeError, "randint: bounds are integers, got f32[]"),
        (lambda: r.bernoulli(KEY, 1), DtypeError, "bernoulli: a float dtype is wanted, got int64"),
        (
            lambda: r.categorical(KEY, LOGITS, shape=(3,)),
            ShapeError,
            "categorical: shape (3,) does not end in (2,), the axes of logits f32[2,3] without axis 1",
        ),
        (lambda: r.permutation(KEY, -1), ArgumentError, "permutation: -1 elements cannot be put in order"),
        (
            lambda: r.permutation(KEY, GRID, axis=2),
            ArgumentError,
            "permutation: axis 2 is out of range for i64[3,4] (rank 2)",
        ),
        (
            lambda: r.RandomBits((2,), np.dtype("int32"))(KEY, 0),
            DtypeError,
            "randombits: gives uint32 or uint64, not int32",
        ),
        (
            lambda: r.RandomBits((2,), UINT32)(np.ones(3, "uint32"), 0),
            ShapeError,
            "randombits: a key is u32[...,2] and its counter u64[...], got u32[3] and u64[]",
        ),
    ],
)
def test_errors(call: Any, error: type[MinigradError], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert caught.value.what == message


@pytest.mark.parametrize("name", ["uniform", "normal", "exponential", "gumbel", "bernoulli", "bits", "split"])
def test_a_wrong_key_is_named(name: str) -> None:
    with pytest.raises(DtypeError) as caught:
        getattr(r, name)(np.arange(2))
    assert caught.value.what == f"{name}: a key is u32[2], got i64[2]"
    assert caught.value.hint == "make one with key(seed); for many keys at once use vmap"
