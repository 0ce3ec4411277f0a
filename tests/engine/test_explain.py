"""`jit(f).explain(...)`: the kernels, the user's lines in them, and why what stands apart does."""

import re

import numpy as np
import pytest

import minigrad.numpy as mnp
from minigrad import counters
from minigrad.errors import ArgumentError
from minigrad.tracer import ShapeDtypeStruct, grad, jit, lax, value_and_grad
from minigrad.tracer.lax import conv_general_dilated


def cross_entropy(logits, labels):
    z = logits - mnp.max(logits, axis=1, keepdims=True)
    normaliser = mnp.log(mnp.sum(mnp.exp(z), axis=1))
    return mnp.mean(normaliser - mnp.sum(z * labels, axis=1))


def sparse_cross_entropy(logits, labels):
    z = logits - mnp.max(logits, axis=1, keepdims=True)
    return mnp.mean(mnp.take_along_axis(mnp.log(mnp.sum(mnp.exp(z), axis=1, keepdims=True)) - z, labels[:, None], 1))


def picked_cross_entropy(logits, labels):
    z = logits - mnp.max(logits, axis=1, keepdims=True)
    return mnp.mean((mnp.log(mnp.sum(mnp.exp(z), axis=1, keepdims=True)) - z)[np.arange(len(labels)), labels])


def loss(params, x, y):
    w1, b1, w2, b2 = params
    hidden = mnp.tanh(x @ w1 + b1)
    return mnp.mean((hidden @ w2 + b2 - y) ** 2)


def step(params, x, y):
    return [p - 0.1 * g for p, g in zip(params, grad(loss)(params, x, y), strict=True)]


def explained(f, *args):
    """The first line, and each kernel's lines."""
    head, *rest = jit(f).explain(*args).splitlines()
    return head, re.split(r"\n(?= *\d+  )", "\n".join(rest))


def test_softmax_cross_entropy_is_one_pass_over_memory():
    """The loss too: each row adds to it. What is left is one number, divided."""
    logits, labels = np.zeros((64, 100), np.float32), np.zeros((64, 100), np.float32)
    head, (rows, last) = explained(value_and_grad(cross_entropy), logits, labels)
    assert head == (
        "cross_entropy: 27 ops in 2 kernels (0 library calls, 0 calls of the reference); 51.2 KB read, 25.6 KB written"
    )
    assert rows.startswith("  0  loops over 64 rows of 100: 51.2 KB read, 25.6 KB written\n")
    assert "z = logits - mnp.max(logits, axis=1, keepdims=True)  # max reshape sub" in rows
    assert "return mnp.mean(normaliser - mnp.sum(z * labels, axis=1))" in rows
    assert re.search(r"- stores sum f32\[\] of .*:\d+, for kernel 1: a reduction is known when its loop is over", rows)
    assert re.search(r"- apart from kernel 0, which stores .*: one needs all 64 elements of the other", last)
    assert last.startswith("  1  loops over 1 element: 4 B read, 4 B written")


@pytest.mark.parametrize("f", [sparse_cross_entropy, picked_cross_entropy])
def test_with_labels_it_is_one_pass_over_memory_too(f):
    """The logarithms of the other classes are neither computed nor stored, and the way back is that pass as well."""
    rng = np.random.default_rng(0)
    logits, labels = rng.normal(size=(64, 100)).astype(np.float32), rng.integers(0, 100, 64)
    _, (rows, last) = explained(value_and_grad(f), logits, labels)
    assert rows.startswith("  0  loops over 64 rows of 100: 26.")
    assert "take_along_axis" in rows
    assert last.startswith("  1  loops over 1 element: 4 B read, 4 B written")
    value, slope = jit(value_and_grad(f))(logits, labels)
    softmax = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(value, -np.log(softmax[np.arange(64), labels]).mean(), rtol=1e-6)
    np.testing.assert_allclose(slope, (softmax - np.eye(100)[labels]) / 64, rtol=1e-5, atol=1e-8)


def test_a_training_step_of_an_mlp_names_its_library_calls():
    shapes = [(64, 128), (128,), (128, 10), (10,)]
    params = [np.zeros(s, np.float32) for s in shapes]
    head, kernels = explained(step, params, np.zeros((32, 64), np.float32), np.zeros((32, 10), np.float32))
    assert head.startswith("step: 24 ops in 8 kernels (5 library calls, 0 calls of the reference)")
    assert [k.splitlines()[0][5:] for k in kernels if "library call" in k][:2] == [
        "library call [32,64]·[64,128], loops over 4096 elements: 41.5 KB read, 16.4 KB written",
        "library call [32,128]·[128,10]: 21.5 KB read, 1.28 KB written",
    ]
    assert "hidden = mnp.tanh(x @ w1 + b1)  # dot_general add tanh" in kernels[0]
    assert "- its loops run when all of the product is there: it is small" in kernels[0]
    assert re.search(
        r"- stores tanh f32\[32,128\] .*, for kernels 1, 4, 5: dot_general reads it from memory", kernels[0]
    )


def test_loops_behind_a_product_in_parts():
    images, w, v = (np.zeros(s, np.float32) for s in ((8, 8, 32, 32), (32, 8, 5, 5), (8, 32, 1, 1)))

    def f(images, w, v):
        x = mnp.maximum(conv_general_dilated(images, w, (1, 1), "SAME"), 0)
        return mnp.sum(conv_general_dilated(x, v, (1, 1), "SAME"), axis=(2, 3))

    _, kernels = explained(f, images, w, v)
    assert kernels[1].startswith("  1  library call [32,200]·patches[200,256], loops over 262144 elements")
    assert "its loops run when" not in kernels[1]
    assert re.search(r"not fused behind kernel 2, a product it reads: not all of it is computed element", kernels[3])
    tall, wide = np.zeros((4096, 32), np.float32), np.zeros((32, 256), np.float32)
    _, (kernel,) = explained(lambda x, w: mnp.tanh(x @ w), tall, wide)
    assert kernel.startswith(
        "  0  library call [4096,32]·[32,256] in 8 parts of 512 rows, loops over 1048576 elements:"
    )


def test_a_value_that_several_kernels_read_says_so():
    def f(x):
        y = mnp.exp(x)
        return mnp.cumsum(y, axis=0), mnp.sum(y[:, ::-1], axis=1), mnp.sort(y * y)

    _, kernels = explained(f, np.zeros((40, 50), np.float32))
    assert "loops read it, and loading costs less than computing it in each" in "".join(kernels)


def test_ops_without_loops_are_calls_of_the_reference():
    head, kernels = explained(lambda x: mnp.special.i0e(x * 2), np.zeros(8, np.float32))
    assert "1 call of the reference" in head
    assert kernels[1].startswith("  1  call of the reference bessel_i: 32 B read, 32 B written")
    assert "reads it from memory" in kernels[0]


def test_without_arguments_it_is_of_the_program_compiled_last():
    f = jit(lambda x, n: mnp.sum(mnp.exp(x) * n, axis=0), static_argnums=1)
    with pytest.raises(ArgumentError) as caught:
        f.explain()
    assert (
        caught.value.what.startswith("explain: f has not been called yet") and "ShapeDtypeStruct" in caught.value.hint
    )
    x = np.zeros((40, 50), np.float32)
    f(x, 2)
    f(x[:30], 3)
    traces = f.trace_count
    assert f.explain().splitlines() == ["for x: f32[30,50], n = 3", *f.explain(x[:30], 3).splitlines()]
    f.explain()
    assert f.trace_count == traces + 1  # that with arguments
    assert jit(lambda: mnp.ones(3)).explain().startswith("f: 0 ops in 1 kernel")


def test_types_stand_for_arguments_and_nothing_is_run_or_compiled():
    f = jit(lambda x: mnp.sum(x + 1))
    before = counters()
    text = f.explain(ShapeDtypeStruct((1 << 40,), "float32"))
    assert "  0  loops over 1099511627776 elements: 4.4e+03 GB read" in text
    assert (counters().compiles, counters().disk_hits) == (before.compiles, before.disk_hits)


def test_values_of_one_line_are_numbered_and_reasons_are_sentences():
    f = lambda x: (mnp.sum(mnp.sin(x)) * x, mnp.sum(mnp.cos(x)[:, ::-1]) * x)
    _, (sums, products) = explained(f, np.zeros((3000, 1000), np.float32))
    assert "- stores sum #1 f32[] of " in sums and "- stores sum #2 f32[] of " in sums
    assert re.search(
        r"- apart from kernel 0, which stores sum #[12] f32\[\] of .*:\d+: one needs all 3000000 elements of the other",
        products,
    )
    _, (order, _) = explained(lambda x: mnp.sort(x), np.zeros(100, np.float32))
    assert re.search(r"- stores argsort .*, for kernel 1: a sort is known when its loop is over", order)


def test_loops_and_branches_say_what_they_are():
    def f(x):
        x, _ = lax.scan(lambda c, i: (mnp.tanh(c) + i, None), x, mnp.ones(5))
        x = lax.while_loop(lambda c: mnp.sum(c) < 9, lambda c: c * 2, x)
        return lax.cond(mnp.sum(x) > 0, lambda x: x * 2, mnp.exp, x)

    text = jit(f).explain(np.zeros(3, np.float32))
    for title in ("loop of 5 steps over its body", "loop over its body while its condition holds", "one of 2 branches"):
        assert re.search(rf"\n  \d  {title}: ", text)
