"""The walk backward: values, second derivatives, what is kept and freed."""

import gc
import tracemalloc
import weakref

import numpy as np
import pytest

import minigrad.tape as torch
from minigrad.errors import BackwardError


def leaf(*values):
    return torch.tensor(list(values), requires_grad=True)


def test_gradients_add_up_over_uses_and_over_calls():
    x = leaf(1.0, 2.0)
    y = x * x + x
    y.sum().backward()
    assert x.grad.tolist() == [3.0, 5.0]
    (x * 10).sum().backward()
    assert x.grad.tolist() == [13.0, 15.0]


def test_a_gradient_given_for_a_tensor():
    x = leaf(1.0, 2.0)
    (x * 3).backward(torch.tensor([1.0, 10.0]))
    assert x.grad.tolist() == [3.0, 30.0]


def test_grads_are_memory_of_their_own():
    a, b = leaf(1.0, 2.0), leaf(3.0, 4.0)
    seed = torch.ones(2)
    (a + b).backward(seed)
    a.grad.mul_(5)
    assert (a.grad.tolist(), b.grad.tolist(), seed.tolist()) == ([5.0, 5.0], [1.0, 1.0], [1.0, 1.0])
    x = torch.zeros(2, 3, requires_grad=True)
    x.sum().backward()  # an expanded scalar, until it becomes a grad
    x.grad[0] += 1
    assert x.grad.tolist() == [[2.0] * 3, [1.0] * 3]


def test_mixed_dtypes_give_gradients_in_the_dtype_of_each():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    z = x * y * torch.tensor([1, 2])
    assert z.dtype == torch.float64
    z.sum().backward()
    assert (x.grad.dtype, y.grad.dtype) == (torch.float32, torch.float64)
    assert (x.grad.tolist(), y.grad.tolist()) == ([3.0, 8.0], [1.0, 4.0])


def test_retain_graph_walks_the_same_graph_again():
    x = leaf(2.0)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [8.0]


def test_higher_derivatives():
    x = leaf(0.5, 1.0)
    y = (x**3).sin().sum()
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    (h,) = torch.autograd.grad(g.sum(), x, create_graph=True)
    (k,) = torch.autograd.grad(h.sum(), x)
    v = np.array([0.5, 1.0])
    s, c = np.sin(v**3), np.cos(v**3)
    np.testing.assert_allclose(g.tolist(), 3 * v**2 * c, rtol=1e-5)
    np.testing.assert_allclose(h.tolist(), 6 * v * c - 9 * v**4 * s, rtol=1e-5)
    np.testing.assert_allclose(k.tolist(), 6 * c - 54 * v**3 * s - 27 * v**6 * c, rtol=1e-5)


def test_backward_with_create_graph_gives_grads_with_history():
    x = leaf(3.0)
    (x**3).backward(create_graph=True)
    g = x.grad
    x.grad = None
    g.backward()
    assert x.grad.tolist() == [18.0]


def test_grad_with_respect_to_results_and_only_where_asked():
    x, w = leaf(2.0), leaf(3.0)
    y = x * w
    z = y * y
    gy, gx = torch.autograd.grad(z, [y, x])
    assert (gy.tolist(), gx.tolist()) == ([12.0], [36.0])
    assert x.grad is None and w.grad is None
    z = x * w
    z.backward(inputs=[w])
    assert x.grad is None and w.grad.tolist() == [2.0]
    assert torch.autograd.grad(x * 1.0, [x, w], allow_unused=True)[1] is None


def test_retain_grad_keeps_the_gradient_of_a_result():
    x = leaf(2.0)
    y = x * 3
    y.retain_grad()
    (y * y).backward()
    assert y.grad.tolist() == [12.0] and x.grad.tolist() == [36.0]


def test_modes():
    x = leaf(1.0)
    with torch.no_grad():
        assert not (x * 2).requires_grad
        with torch.enable_grad():
            assert (x * 2).requires_grad

    @torch.no_grad()
    def f(x):
        return x * 2

    @torch.no_grad
    def g(x):
        return x * 2

    assert not f(x).requires_grad and not g(x).requires_grad and torch.is_grad_enabled()
    with pytest.raises(ZeroDivisionError), torch.no_grad():
        raise ZeroDivisionError
    assert torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    assert not (x * 2).requires_grad
    torch.set_grad_enabled(True)
    with torch.set_grad_enabled(False):
        assert not torch.is_grad_enabled()
    assert torch.is_grad_enabled()


def test_detach_leaves_the_history_behind():
    x = leaf(2.0)
    y = x * x.detach()
    y.backward()
    assert x.grad.tolist() == [2.0]
    x.requires_grad_(False)
    assert not (x * 2).requires_grad
    with pytest.raises(BackwardError, match="only a leaf can stop requiring grad"):
        y.requires_grad_(False)


def test_what_a_history_looks_like():
    x = leaf(1.0)
    y = x * 2
    z = y.exp()
    assert repr(z.grad_fn).startswith("<exp at ") and "test_backward.py:" in repr(z.grad_fn)
    (before, which), *_ = z.grad_fn.next_functions
    assert before is y.grad_fn and which == 0
    assert [repr(f) for f, _ in before.next_functions] == ["<accumulate into leaf f32[1]>", "None"]
    assert x.is_leaf and x.grad_fn is None and not z.is_leaf
    assert repr(x) == "tensor([1.], requires_grad=True)"


def test_a_chain_of_100_000_ops():
    x = torch.ones(1, requires_grad=True)
    y = x
    for _ in range(100_000):
        y = y * 1.0
    y.backward(retain_graph=True)
    assert x.grad.tolist() == [1.0]
    (g,) = torch.autograd.grad(y, x, create_graph=True)
    assert g.tolist() == [1.0]
    del y, g  # freeing it must not recurse either


def test_a_graph_lives_as_long_as_its_result_and_no_longer():
    x = torch.ones(3, requires_grad=True)
    gc.disable()
    try:
        y = (x * 2).exp()
        kept = y.detach()
        alive = weakref.ref(y)
        del y
        assert alive() is None  # by reference counts alone: there is no cycle
        tracemalloc.start()
        for step in range(300):
            if step == 100:
                before = tracemalloc.get_traced_memory()[0]
            w = x * 2
            w += 1
            (w * w).sum().backward()
            x.grad = None
        grown = tracemalloc.get_traced_memory()[0] - before
        tracemalloc.stop()
    finally:
        gc.enable()
    assert kept.tolist()
    assert grown < 20_000


def test_infinite_slopes_are_no_warnings():
    x = torch.zeros(2, requires_grad=True)
    (x.sqrt() + x.log()).sum().backward()  # NumPy's RuntimeWarning would be an error here
    assert x.grad.tolist() == [np.inf, np.inf]


def test_what_is_connected_by_flat_ops_alone_has_gradient_zero():
    """As in PyTorch: None is for what is not connected."""
    x, other = torch.tensor([1.5, -2.3], requires_grad=True), torch.tensor(1.0, requires_grad=True)
    h = x * 3
    h.retain_grad()
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    (torch.floor(h) * w + torch.sign(h)).sum().backward()
    assert x.grad.tolist() == h.grad.tolist() == [0, 0] and w.grad.tolist() == [4, -7]
    assert other.grad is None
    for create_graph in (False, True):
        h = x * 3
        y = torch.round(h * 2)
        found = torch.autograd.grad(y.sum(), (x, h, other), create_graph=create_graph, allow_unused=True)
        assert [g if g is None else g.tolist() for g in found] == [[0, 0], [0, 0], None]
    with pytest.raises(BackwardError, match="do not depend on input 0"):
        torch.autograd.grad(torch.round(x).sum(), other)
