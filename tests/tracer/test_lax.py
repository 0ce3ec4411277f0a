"""lax, nn and tree_util: JAX's names mean what NumPy (or their definition) says."""

import math

import numpy as np
import pytest

import minigrad.numpy as jnp
import minigrad.tracer as jax
from minigrad import errors
from minigrad.tracer import lax, nn, tree_util

X = np.arange(24.0).reshape(2, 3, 4)
V = np.array([3.0, -1.0, 2.0])
E = np.exp(V)

PAIRS = [
    (lambda: lax.select(V > 0, V, -V), np.abs(V)),
    (lambda: lax.clamp(-0.5, V, 2.5), np.clip(V, -0.5, 2.5)),
    (lambda: lax.convert_element_type(V, "int64"), V.astype(np.int64)),
    (lambda: lax.reciprocal(V), 1 / V),
    (lambda: lax.integer_pow(V, 3), V**3),
    (lambda: lax.rsqrt(E), E**-0.5),
    (lambda: lax.iota("int32", 4), np.arange(4, dtype=np.int32)),
    (lambda: lax.broadcasted_iota("float32", (2, 3), 1), np.tile(np.arange(3, dtype=np.float32), (2, 1))),
    (lambda: lax.full((2, 2), 7, "float32"), np.full((2, 2), 7, np.float32)),
    (lambda: lax.full_like(V, 7), np.full_like(V, 7)),
    (lambda: lax.reshape(X, (6, 4)), X.reshape(6, 4)),
    (lambda: lax.transpose(X, (2, 0, 1)), X.transpose(2, 0, 1)),
    (lambda: lax.expand_dims(X, (0, 2)), X[None, :, None]),
    (lambda: lax.squeeze(X[:1, :, None], (0, -2)), X[0]),
    (lambda: lax.rev(X, (0, 2)), X[::-1, :, ::-1]),
    (lambda: lax.pad(V, 9.0, [(1, -1, 1)]), np.array([9.0, 3, 9, -1, 9])),
    (lambda: lax.concatenate([X, X], 1), np.concatenate([X, X], 1)),
    (lambda: lax.broadcast(V, (2,)), np.stack([V, V])),
    (lambda: lax.broadcast_in_dim(V, (3, 2), (0,)), np.stack([V, V], 1)),
    (lambda: lax.slice(X, (0, 1, 0), (2, 3, 4), (1, 1, 2)), X[0:2, 1:3, 0:4:2]),
    (lambda: lax.slice_in_dim(X, 1, 3, axis=1), X[:, 1:3]),
    (lambda: lax.dynamic_slice(X, (0, 1, 9), (1, 2, 2)), X[0:1, 1:3, 2:4]),
    (lambda: lax.dynamic_slice(X, jnp.array([0, 1, 2]), (1, 2, 2)), X[0:1, 1:3, 2:4]),
    (lambda: lax.dynamic_slice_in_dim(X, 1, 2, axis=-1), X[..., 1:3]),
    (lambda: lax.dynamic_index_in_dim(X, 1, 1, keepdims=False), X[:, 1]),
    (lambda: lax.dynamic_update_slice(V, np.zeros(2), (2,)), np.array([3.0, 0, 0])),
    (lambda: lax.dynamic_update_slice_in_dim(V, np.zeros(1), 1, 0), np.array([3.0, 0, 2])),
    (lambda: lax.dynamic_update_index_in_dim(V, 5.0, 1, 0), np.array([3.0, 5, 2])),
    (lambda: lax.dot(X[0], X[0].T), X[0] @ X[0].T),
    (lambda: lax.batch_matmul(X, X.transpose(0, 2, 1)), X @ X.transpose(0, 2, 1)),
    (lambda: lax.dot_general(X, X, (((2,), (2,)), ((0,), (0,)))), np.einsum("bik,bjk->bij", X, X)),
    (lambda: lax.cumsum(X, 1), np.cumsum(X, 1)),
    (lambda: lax.cumsum(V, reverse=True), np.cumsum(V[::-1])[::-1]),
    (lambda: lax.cumprod(V), np.cumprod(V)),
    (lambda: lax.cummax(V, 0), np.maximum.accumulate(V)),
    (lambda: lax.cumlogsumexp(V), np.log(np.cumsum(E))),
    (lambda: lax.sort(V), np.sort(V)),
    (lambda: lax.sort_key_val(V, np.arange(3))[1], np.argsort(V)),
    (lambda: lax.top_k(V, 2)[0], np.array([3.0, 2.0])),
    (lambda: lax.argmax(X, 1, "int32"), np.argmax(X, 1).astype(np.int32)),
    (lambda: nn.softmax(V), E / E.sum()),
    (lambda: nn.log_sigmoid(V), -np.log1p(np.exp(-V))),
    (lambda: nn.one_hot(np.array([2, 0]), 3), np.eye(3, dtype=np.float32)[[2, 0]]),
    (lambda: nn.gelu(V), 0.5 * V * (1 + np.tanh(math.sqrt(2 / math.pi) * (V + 0.044715 * V**3)))),
]


@pytest.mark.parametrize(("ours", "expected"), PAIRS, ids=range(len(PAIRS)))
def test_names(ours, expected):
    for y in (ours(), jax.jit(ours)()):
        assert (y.shape, y.dtype) == (expected.shape, expected.dtype)
        np.testing.assert_allclose(np.asarray(y), expected, rtol=1e-12)


def test_slices_at_traced_starts_differentiate_and_batch():
    def window_sum(i, x):
        return jnp.sum(lax.dynamic_slice_in_dim(x, i, 2) ** 2)

    g = jax.jit(jax.grad(window_sum, argnums=1))
    assert g(1, V).tolist() == [0.0, -2.0, 4.0]
    assert jax.vmap(window_sum, (0, None))(np.array([0, 1]), V).tolist() == [10.0, 5.0]


def test_mistakes():
    with pytest.raises(errors.ShapeError, match=r"squeeze: axis 1 of f64\[2,3,4\] has size 3, not 1"):
        lax.squeeze(X, (1,))
    with pytest.raises(errors.ArgumentError, match="the layout 'NHW' must name NC"):
        lax.conv_general_dilated(X[None], X[None], (1, 1), "SAME", dimension_numbers=("NCHW", "OIHW", "NHW"))


def test_tree_util():
    tree = {"b": (1, None), "a": [2.0]}
    paths, structure = tree_util.tree_flatten_with_path(tree)
    assert [(tree_util.keystr(p), x) for p, x in paths] == [("['a'][0]", 2.0), ("['b'][0]", 1)]
    assert tree_util.tree_unflatten(structure, [20.0, 10]) == {"a": [20.0], "b": (10, None)}
    named = tree_util.tree_map_with_path(lambda path, x: f"{tree_util.keystr(path)}={x}", tree)
    assert named == {"a": ["['a'][0]=2.0"], "b": ("['b'][0]=1", None)}
    assert tree_util.tree_reduce(lambda a, b: a + b, tree) == 3.0

    @tree_util.register_pytree_node_class
    class Point:
        def __init__(self, x, y):
            self.x, self.y = x, y

        def tree_flatten(self):
            return (self.x, self.y), None

        @classmethod
        def tree_unflatten(cls, static, children):
            return cls(*children)

    g = jax.jit(jax.grad(lambda p: p.x * p.y))(Point(2.0, 3.0))
    assert (float(g.x), float(g.y)) == (3.0, 2.0)


def test_trees_of_classes_of_ones_own():
    class Pair:
        def __init__(self, a, b):
            self.a, self.b = a, b

    tree_util.register_pytree_node(Pair, lambda p: ((p.a, p.b), None), lambda _, children: Pair(*children))
    structure = tree_util.tree_structure(Pair(1, 2))
    assert structure.num_leaves == 2 and structure.unflatten([3, 4]).b == 4
    assert jax.grad(lambda p: p.a * p.b)(Pair(2.0, 5.0)).a == 5.0
    assert tree_util.tree_all({"a": 1, "b": True}) and not tree_util.tree_all(Pair(1, 0))
    inner, outer = tree_util.tree_structure([0, 0]), tree_util.tree_structure((0, 0, 0))
    assert tree_util.tree_transpose(outer, inner, ([1, 2], [3, 4], [5, 6])) == [(1, 3, 5), (2, 4, 6)]


def test_the_table_of_elementwise_functions():
    assert float(lax.erf_inv(lax.erf(0.5))) == pytest.approx(0.5, rel=1e-6)
    assert lax.is_finite(np.array([1.0, np.inf, np.nan])).tolist() == [True, False, False]
