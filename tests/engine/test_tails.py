"""Elementwise loops behind products: which are, in which parts, where the product stands, and that it is all right."""

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import config
from minigrad.backends import threads
from minigrad.loops import library, parallel, program, split
from minigrad.passes.inline import inline
from minigrad.passes.reuse import reuse
from minigrad.passes.schedule import LibraryKernel, LoopKernel, patches, schedule, tails
from minigrad.tracer import grad, jit, make_graph
from minigrad.tracer.lax import conv_general_dilated, scan


def cut_small(monkeypatch):
    """Products of a few elements are done in parts, too."""
    for name, x in {"_PART": 512, "_SHARED": 1, "_AGAIN": 1e9, "_BLOCKS": 2, "_LINE": 4}.items():
        monkeypatch.setattr(tails, name, x)
    for name, x in {"_PANEL": 1024, "_NARROW": 16, "_SHARED": 1}.items():
        monkeypatch.setattr(patches, name, x)


@pytest.fixture(params=["as is", "in parts"])
def cut(request, monkeypatch):
    if request.param == "in parts":
        cut_small(monkeypatch)
        monkeypatch.setattr(split, "WORTH", 64)
        monkeypatch.setattr(split, "_GRAIN", 16)
    with config.cache.using(request.param == "as is"):  # it would give what was compiled for the same graphs before
        yield request.param == "in parts"
    config.num_threads.reset()
    threads.prepare()


def conv(x, w, groups=1):
    return conv_general_dilated(x, w, (1, 1), "SAME", feature_group_count=groups)


def between(x, w, v, behind, groups=1):
    """A convolution with elementwise ops behind it, whose channels stay outermost for the next one."""
    return conv(behind(conv(x, w, groups)), v)


def relu(x):
    return mnp.maximum(x, 0)


WIDE, NARROW = [(20, 40), (40, 90)], [(90, 40), (40, 20)]
IMAGES = [(3, 4, 12, 12), (8, 4, 3, 3), (2, 8, 1, 1)]
FUSED = {
    "bias, activation": (lambda x, w, b: relu(x @ w + b), [*WIDE, (90,)]),
    "in blocks of rows": (lambda x, w, b: mnp.tanh(x @ w + b), [*NARROW, (20,)]),
    "residual": (lambda x, w, b, r: r + x @ w + b, [*NARROW, (20,), (90, 20)]),
    "bias for each row": (lambda x, w, b: mnp.tanh(x @ w + b[:, None]), [*WIDE, (20,)]),
    "two results": (lambda x, w, b: (lambda p: (relu(p + b), p + b > 0))(x @ w), [*WIDE, (90,)]),
    "the product too": (lambda x, w, b: (lambda p: (p, p + b))(x @ w), [*NARROW, (20,)]),
    "another dtype": (lambda x, w: mnp.astype(x @ w, mnp.float64) * 2, WIDE),
    "a mask only": (lambda x, w: x @ w > 0.5, NARROW),
    "operands that lie otherwise": (lambda x, w, r: relu(x.T @ w.T) * r, [(40, 20), (90, 40), (20, 90)]),
    "an operand read in another order": (lambda x, w, r: relu(x @ w) * r.T, [*WIDE, (90, 20)]),
    "numbers of elements": (lambda x, w: mnp.where(mnp.tri(20, 90, dtype=bool), x @ w, -1.0), WIDE),
    "by positions that are data": (
        lambda x, w, t: x @ w + t[mnp.astype(mnp.abs(t[:, :1]) * 7, mnp.int32)[:, 0]],
        [*WIDE, (20, 90)],
    ),
    "the product reshaped": (lambda x, w, b: relu(mnp.reshape(x @ w, (20, 9, 10)) + b), [*WIDE, (9, 1)]),
    "two products": (lambda x, w, y, v: mnp.tanh(x @ w + y @ v), [*WIDE, *WIDE]),
    "a batch": (lambda x, y, r: mnp.exp(0.1 * (x @ y)) + r, [(3, 5, 11, 8), (3, 5, 8, 13), (3, 1, 11, 13)]),
    "an update": (lambda w, x, y: w - 0.1 * (x.T @ y), [(40, 30), (50, 40), (50, 30)]),
    "a narrow product": (lambda x, y: relu(x @ y), [(50, 5), (5, 70)]),
    "one row": (lambda x, w: relu(x @ w), [(1, 40), (40, 900)]),
    "convolution": (lambda x, w, v, b: between(x, w, v, lambda y: relu(y + b[:, None, None])), [*IMAGES, (8,)]),
    "convolution, by element": (lambda x, w, v: between(x, w, v, mnp.tanh), IMAGES),
    "convolution, two results": (
        lambda x, w, v: between(x, w, v, lambda y: mnp.where(y > 0, y, 0.1 * mnp.exp(y))),
        IMAGES,
    ),
    "convolution of a window of 1": (
        lambda x, w, v, b: between(x, w, v, lambda y: relu(y + b[:, None, None])),
        [(3, 4, 12, 12), (8, 4, 1, 1), (2, 8, 1, 1), (8,)],
    ),
    "convolution in groups": (
        lambda x, w, v, b: between(x, w, v, lambda y: relu(y + b[:, None, None]), groups=2),
        [(3, 4, 12, 12), (8, 2, 3, 3), (2, 8, 1, 1), (8,)],
    ),
    "convolution of each channel": (
        lambda x, w, v, b: between(x, w, v, lambda y: relu(y + b[:, None, None]), groups=4),
        [(3, 4, 12, 12), (12, 1, 4, 4), (2, 12, 1, 1), (12,)],
    ),
    "an update of a kernel": (  # the window of its derivative is as large as an image
        lambda w, x: w - 0.1 * grad(lambda w: mnp.sum(conv_general_dilated(x, w, (1, 1), "VALID") ** 2))(w),
        [(8, 4, 5, 5), (3, 4, 12, 12)],
    ),
    "steps of a recurrence": (
        lambda h, xs, w, v: scan(lambda h, x: ((lambda g: (g, g * 2))(mnp.tanh(h @ w + x @ v))), h, xs),
        [(20, 30), (5, 20, 40), (30, 30), (40, 30)],
    ),
    "a gradient": (
        grad(lambda ws, x: mnp.sum(relu(relu(x @ ws[0]) @ ws[1])), 0),
        [[(40, 90), (90, 30)], (20, 40)],
    ),
}  # fmt: skip
APART = {
    "a product turned round": (lambda x, w, b: (x @ w).T + b, [*WIDE, (20,)], "its elements are not those"),
    "part of a product": (lambda x, w: relu((x @ w)[:, 3:]), WIDE, "its elements are not those"),
    "a large window": (  # whose product has the images before the places
        lambda x, w, v: conv_general_dilated(relu(conv_general_dilated(x, w, (1, 1), "VALID")), v, (1, 1), "SAME"),
        [(3, 4, 12, 12), (8, 4, 10, 10), (2, 8, 1, 1)],
        "its elements are not those",
    ),
    "a sum": (lambda x, w: mnp.sum(relu(x @ w), axis=1), WIDE, "not all of it is computed element by element"),
    "other readers first": (
        lambda x, w: (lambda p: p * mnp.cumsum(mnp.exp(p), axis=0))(x @ w),
        WIDE,
        "it waits for what is computed after the product",
    ),
}


def operands(shapes, dtype):
    rng = np.random.default_rng(0)
    draw = lambda s: [draw(t) for t in s] if isinstance(s, list) else rng.normal(size=s).astype(dtype)
    return [draw(s) for s in shapes]


def flat(tree):
    if isinstance(tree, list | tuple):
        return [y for branch in tree for y in flat(branch)]
    return [np.asarray(tree)]


def check(f, xs, backend, tolerance):
    kept = [x.copy() for x in flat(xs)]
    found, again, wanted = (flat(jit(f, backend=b)(*xs)) for b in (backend, backend, "numpy"))
    for y, twice, want in zip(found, again, wanted, strict=True):
        assert (y.shape, y.dtype) == (want.shape, want.dtype)
        assert y.tobytes() == twice.tobytes()
        np.testing.assert_allclose(y, want, tolerance, tolerance * max(1.0, np.abs(want).max(initial=0)))
    for x, before in zip(flat(xs), kept, strict=True):
        assert x.tobytes() == before.tobytes()


def kernels_of(f, xs):
    graph = make_graph(f)(*mnp_tree(xs))
    return schedule(inline(graph))


def mnp_tree(xs):
    return [mnp_tree(x) if isinstance(x, list) else mnp.asarray(x) for x in xs]


def tailed(s):
    return [k for k in s.every() if isinstance(k, LibraryKernel) and k.tail is not None]


@pytest.mark.parametrize(("backend", "dtype"), [("llvm", "float32"), ("llvm", "float64"), ("numba", "float32")])
@pytest.mark.parametrize("what", FUSED)
def test_tails_are_right(what, backend, dtype, cut):
    f, shapes = FUSED[what]
    xs = operands(shapes, dtype)
    assert tailed(kernels_of(f, xs))
    with config.jit.using(False):
        check(f, xs, backend, 1e-4 if dtype == "float32" else 1e-11)


@pytest.mark.parametrize("what", FUSED)
def test_tails_are_the_same_on_any_number_of_threads(what, cut):
    f, shapes = FUSED[what]
    xs, found = operands(shapes, "float32"), []
    for n in (1, 2, 3):
        with config.num_threads.using(n):
            found.append(flat(jit(f, backend="llvm")(*xs)))
    for one, *others in zip(*found, strict=True):
        assert all(one.tobytes() == other.tobytes() for other in others)


@pytest.mark.parametrize("backend", ["llvm", "numba"])
@pytest.mark.parametrize("what", APART)
def test_what_is_no_tail_says_why(what, backend, cut):
    f, shapes, why = APART[what]
    xs = operands(shapes, "float32")
    s = kernels_of(f, xs)
    assert not tailed(s)
    assert any(isinstance(k, LoopKernel) for k in s.kernels)
    assert f"a product it reads: {why}" in jit(f).explain(*xs)
    with config.jit.using(False):
        check(f, xs, backend, 1e-4)


@pytest.mark.parametrize(
    ("what", "parts"),
    [
        ("in blocks of rows", "4 parts of 24 rows"),
        ("a batch", "3 parts of 1 lanes"),
        ("one row", "1 parts of 4 rows"),
    ],
)
def test_products_in_parts(what, parts, monkeypatch):
    cut_small(monkeypatch)
    f, shapes = FUSED[what]
    (kernel,) = tailed(kernels_of(f, operands(shapes, "float32")))
    assert str(kernel.cut) == parts
    assert not kernel.whole


def test_deep_products_are_not_cut():
    xs = [mnp.zeros(s, mnp.float32) for s in [(256, 2048), (2048, 2048), (2048,)]]
    (kernel,) = schedule(inline(make_graph(lambda x, w, b: relu(x @ w + b))(*xs))).kernels
    assert kernel.cut is None
    assert kernel.whole == "in 8 blocks of rows BLAS would arrange the other 2048×2048 elements 8 times"


def test_a_product_stands_where_the_result_of_its_tail_will():
    def f(x, w, v):
        return relu(x @ w) @ v

    s = kernels_of(f, operands([(20, 40), (40, 30), (30, 10)], "float32"))
    first, second = s.kernels
    assert s.base(first.node.out) is first.tail.roots[0].out
    assert s.base(second.node.out) is second.node.out


@pytest.mark.parametrize("of_itself", [False, True])
def test_an_update_lies_in_donated_memory_unless_its_product_reads_that(of_itself, cut):
    w, x, y = operands([(40, 40), (50, 40), (50, 40)], "float32")

    def f(w, x, y):
        return w - 0.1 * (w @ y[:40] if of_itself else x.T @ y)

    s = schedule(inline(make_graph(f)(*map(mnp.asarray, (w, x, y)))))
    assert tailed(s)
    assert reuse(s, [0]) == ({} if of_itself else {0: 0})
    want = np.asarray(jit(f, backend="numpy")(w, x, y))
    found = jit(f, backend="llvm", donate_argnums=0)(mnp.asarray(w.copy()), x, y)
    np.testing.assert_allclose(np.asarray(found), want, 1e-4, 1e-4 * np.abs(want).max())


def test_without_threads(cut, monkeypatch):
    """As on Windows: products are whole, convolutions still done in panels."""
    for module in (library, parallel, program):
        monkeypatch.setattr(module, "AVAILABLE", False)
    for what in ("in blocks of rows", "bias, activation", "a batch", "convolution"):
        f, shapes = FUSED[what]
        check(f, operands(shapes, "float32"), "llvm", 1e-4)
