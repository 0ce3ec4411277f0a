"""Composites against their definitions in NumPy, at their extremes, and their gradients against differences."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy import special

from minigrad.errors import ArgumentError, DtypeError, ShapeError
from minigrad.graph import check, run, specialize
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops import activations, composite, losses
from minigrad.ops.axes import SizeOf
from minigrad.ops.stop import stop_gradient
from minigrad.testing import check_grads
from minigrad.types import FLOAT32, FLOAT64, INT64, Dim, TensorType

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
RNG = np.random.default_rng(7)
X = RNG.normal(size=(3, 4))
Q, K, V = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 5, 4)), RNG.normal(size=(2, 5, 6))
LABELS = np.array([1, 3, 0])


def np_attention(q: Any, k: Any, v: Any, visible: Any = True) -> Any:
    scores = np.where(visible, q @ k.swapaxes(-1, -2) / math.sqrt(q.shape[-1]), -np.inf)
    return special.softmax(scores, axis=-1) @ v


def np_layer_norm(x: Any) -> Any:
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def np_smoothed(x: Any) -> Any:
    logs = special.log_softmax(x, axis=-1)
    return -(0.9 * logs[range(3), LABELS] + 0.1 * logs.mean(-1)).mean()


FUNCTIONS: list[tuple[str, Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = [
    ("logsumexp", composite.logsumexp, special.logsumexp, (X,)),
    ("logsumexp-0", lambda x: composite.logsumexp(x, 0), lambda x: special.logsumexp(x, axis=0), (X,)),
    ("softmax", composite.softmax, lambda x: special.softmax(x, axis=-1), (X,)),
    ("softmax-0", lambda x: composite.softmax(x, (0, 1)), special.softmax, (X,)),
    ("log_softmax", composite.log_softmax, lambda x: special.log_softmax(x, axis=-1), (X,)),
    ("layer_norm", composite.layer_norm, np_layer_norm, (X,)),
    ("layer_norm-affine", composite.layer_norm, lambda x, w, b: np_layer_norm(x) * w + b, (X, X[0], X[1])),
    ("attention", composite.attention, np_attention, (Q, K, V)),
    (
        "attention-causal",
        lambda q, k, v: composite.attention(q, k, v, causal=True),
        lambda q, k, v: np_attention(q, k, v, np.tri(3, 5, 2, dtype=bool)),
        (Q, K, V),
    ),
    ("dropout", lambda x: composite.dropout(x, X > 0, 0.25), lambda x: np.where(X > 0, x / 0.75, 0), (X,)),
    ("relu", activations.relu, lambda x: np.maximum(x, 0), (X,)),
    ("leaky_relu", activations.leaky_relu, lambda x: np.where(x > 0, x, 0.01 * x), (X,)),
    ("elu", activations.elu, lambda x: np.where(x > 0, x, np.expm1(x)), (X,)),
    ("sigmoid", activations.sigmoid, special.expit, (X,)),
    ("silu", activations.silu, lambda x: x * special.expit(x), (X,)),
    ("softplus", activations.softplus, lambda x: np.log1p(np.exp(x)), (X,)),
    ("gelu", activations.gelu, lambda x: x * special.ndtr(x), (X,)),
    (
        "gelu-tanh",
        lambda x: activations.gelu(x, approximate=True),
        lambda x: 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
        (X,),
    ),
    (
        "cross_entropy",
        lambda x: losses.cross_entropy(x, LABELS),
        lambda x: -special.log_softmax(x, axis=-1)[range(3), LABELS].mean(),
        (X,),
    ),
    (
        "cross_entropy-none",
        lambda x: losses.cross_entropy(x, LABELS, reduction="none"),
        lambda x: -special.log_softmax(x, axis=-1)[range(3), LABELS],
        (X,),
    ),
    (
        "cross_entropy-ignore",
        lambda x: losses.cross_entropy(x, LABELS, ignore=3),
        lambda x: -special.log_softmax(x, axis=-1)[[0, 2], [1, 0]].mean(),
        (X,),
    ),
    ("cross_entropy-smooth", lambda x: losses.cross_entropy(x, LABELS, label_smoothing=0.1), np_smoothed, (X,)),
    (
        "cross_entropy-soft",
        lambda x: losses.cross_entropy(x, np.full((3, 4), 0.25, "float32")),
        lambda x: -special.log_softmax(x, axis=-1).mean(),
        (X,),
    ),
    ("mse", losses.mse, lambda a, b: ((a - b) ** 2).mean(), (X, X[::-1])),
    ("mse-sum", lambda a, b: losses.mse(a, b, reduction="sum"), lambda a, b: ((a - b) ** 2).sum(), (X, X[::-1])),
    (
        "bce",
        lambda x: losses.binary_cross_entropy_with_logits(x, 0.3),
        lambda x: -(0.3 * np.log(special.expit(x)) + 0.7 * np.log(special.expit(-x))).mean(),
        (X,),
    ),
]


@pytest.mark.parametrize(("f", "reference", "xs"), [c[1:] for c in FUNCTIONS], ids=[c[0] for c in FUNCTIONS])
def test_against_the_definition(f: Callable[..., Any], reference: Callable[..., Any], xs: tuple[Any, ...]) -> None:
    wanted = reference(*xs)
    np.testing.assert_allclose(f(*xs), wanted, rtol=1e-12, atol=1e-13)
    single = f(*[Array(x.astype("float32")) for x in xs])
    assert single.dtype == FLOAT32
    np.testing.assert_allclose(single, wanted, rtol=2e-5, atol=1e-5)
    graph, _ = trace(lambda *vs: [f(*vs)], [TensorType(x.shape, x.dtype) for x in xs])
    np.testing.assert_allclose(run(check(graph), [Array(x) for x in xs])[0], wanted, rtol=1e-12, atol=1e-13)
    check_grads(f, xs, order=2)


def test_extremes_do_not_overflow() -> None:
    big = Array(np.array([1e4, 0, -1e4], "float32"))
    assert composite.softmax(big).tolist() == [1, 0, 0]
    assert composite.log_softmax(big).tolist() == [0, -1e4, -2e4]
    assert activations.softplus(big).tolist() == [1e4, pytest.approx(math.log(2)), 0]
    assert activations.elu(big).tolist() == [1e4, 0, -1]
    costs = losses.binary_cross_entropy_with_logits(big, 1.0, reduction="none")
    assert costs.tolist() == [0, pytest.approx(math.log(2)), 1e4]
    masked = Array(np.array([-np.inf, 1.0, -np.inf]))
    assert composite.softmax(masked).tolist() == [0, 1, 0]
    assert composite.logsumexp(Array(np.full(2, -np.inf))).item() == -math.inf
    assert composite.logsumexp(Array(np.array([np.inf, 0.0]))).item() == math.inf
    assert composite.logsumexp(Array(np.zeros((0,)))).item() == -math.inf
    assert math.isnan(activations.relu(math.nan).item())
    assert composite.softmax(Array(np.zeros((2, 0)))).shape == (2, 0)


def test_a_query_that_sees_nothing_gets_zeros() -> None:
    visible = np.ones((3, 5), bool)
    visible[1] = False
    y = composite.attention(Q, K, V, visible)
    np.testing.assert_array_equal(np.asarray(y)[:, 1], 0)
    visible[1] = True
    np.testing.assert_allclose(composite.attention(Q, K, V, visible), np_attention(Q, K, V), rtol=1e-12)
    added = np.where(np.tri(3, 5, 2, dtype=bool), 0, -np.inf)
    np.testing.assert_allclose(
        composite.attention(Q, K, V, added), composite.attention(Q, K, V, causal=True), rtol=1e-12
    )


def test_one_hot() -> None:
    assert composite.one_hot(Array(np.array([2, 0, 9])), 3).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert composite.one_hot(Array(np.array([1, 0])), 2, axis=0, dtype=INT64).tolist() == [[0, 1], [1, 0]]
    narrow = composite.one_hot(Array(np.array([0, 127, -56], "int8")), 300)  # more classes than there are int8
    assert [np.flatnonzero(row).tolist() for row in np.asarray(narrow)] == [[0], [127], []]
    with pytest.raises(DtypeError, match=r"one_hot: labels are integers, got f64\[1\]"):
        composite.one_hot(np.ones(1), 2)


def test_the_kink_of_relu() -> None:
    check_grads(activations.relu, (np.array([-1.0, 2.0]),))
    graph, _ = trace(lambda x: [activations.relu(x)], [TensorType((), FLOAT64)])
    assert "where" in [n.op.label for n in graph.nodes]


def test_stop_gradient() -> None:
    check_grads(lambda x: x * 2.0 + stop_gradient(3.0), (np.array(1.5),))
    for dtype in ("bool", "int8", "float32", "complex64"):
        assert stop_gradient(Array(np.ones(2, dtype))).dtype.name == dtype


def test_sizes_that_are_fed() -> None:
    """Softmax, layer norm, attention and losses over a batch of unknown size, then over unknown lengths too."""
    n, t = Dim.symbol("n"), Dim.symbol("t")
    rows, labels = TensorType((n, 4), FLOAT64), TensorType((n,), INT64)
    graph, _ = trace(
        lambda x, y: [losses.cross_entropy(composite.layer_norm(x), y), composite.softmax(x), losses.mse(x, 1.0)],
        [rows, labels],
    )
    got = run(specialize(graph, {"n": 3}), [Array(X), Array(LABELS)])
    wanted = (losses.cross_entropy(composite.layer_norm(X), LABELS), composite.softmax(X), losses.mse(X, 1.0))
    for g, w in zip(got, wanted, strict=True):
        np.testing.assert_allclose(g, w)
    tokens = TensorType((2, t, 4), FLOAT64)
    graph, _ = trace(lambda q: [composite.attention(q, q, q, causal=True)], [tokens])
    got = run(specialize(graph, {"t": 3}), [Array(Q)])
    np.testing.assert_allclose(got[0], composite.attention(Q, Q, Q, causal=True))


def test_size_of() -> None:
    assert SizeOf((0, 2))(np.ones((2, 3, 5))).item() == 10
    assert SizeOf((), FLOAT32)(np.ones(3)).item() == 1.0


@pytest.mark.parametrize(
    ("call", "kind", "text"),
    [
        (lambda: losses.cross_entropy(X, LABELS[:2]), ShapeError, "cross_entropy: i64[2] does not label f64[3,4]"),
        (lambda: losses.cross_entropy(X, X > 0), DtypeError, "cross_entropy: labels are integers or pr"),
        (
            lambda: losses.cross_entropy(X, LABELS + 1),
            ArgumentError,
            "cross_entropy: label 4 is not one of the 4 classes",
        ),
        (lambda: losses.cross_entropy(X, LABELS - 1), ArgumentError, "cross_entropy: label -1 is not one of the 4 cl"),
        (lambda: losses.mse(X, X, reduction="max"), ArgumentError, "unknown reduction 'max'"),
        (lambda: composite.softmax(X, 2), ArgumentError, "softmax: axis 2 is out of range for f64[3,4] (rank 2)"),
        (lambda: composite.attention(X[0], X, X), ShapeError, "attention: needs [.., tokens, features], got f64[4]"),
        (lambda: composite.dropout(X, X > 0, 1.0), ArgumentError, "dropout: rate must be in [0, 1), got 1.0"),
    ],
)
def test_errors(call: Callable[[], Any], kind: type[Exception], text: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    assert str(caught.value).startswith(text)
