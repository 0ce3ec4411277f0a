"""The mistakes a beginner makes: each is told what happened, on which lines, and what to do."""

import re

import numpy as np
import pytest

import minigrad.session as tf
import minigrad.tape as torch
import minigrad.tracer as jax
from minigrad.errors import (
    ArgumentError,
    BackwardError,
    BroadcastError,
    DtypeError,
    GradientError,
    MixedFrontEndsError,
    NotDifferentiableError,
    ShapeError,
)
from minigrad.tape import nn, optim
from minigrad.tape.nn import functional as F


def message(error, f):
    """The message of the error f raises, with line numbers relative to f and this file's path shortened."""
    with pytest.raises(error) as caught:
        f()
    first = f.__code__.co_firstlineno
    return re.sub(r"\S*test_mistakes\.py:(\d+)", lambda m: f"line {int(m[1]) - first}", str(caught.value))


def test_second_backward():
    def program():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = (x * x).sum()
        y.backward()
        y.backward()

    assert message(BackwardError, program) == (
        "backward: an earlier backward has already freed what sum saved\n"
        "  at line 4: y.backward()\n"
        "  sum recorded at line 2: y = (x * x).sum()\n"
        "  freed at line 3: y.backward()\n"
        "  pass retain_graph=True to the earlier backward to walk the same graph again, "
        "or detach() what an earlier iteration left behind"
    )


def test_a_saved_value_changed_in_place():
    def program():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        y = x * 2
        z = y * y
        y += 1
        z.sum().backward()

    assert message(BackwardError, program) == (
        "backward: mul needs a value f32[2] it saved, but the value has been changed in place\n"
        "  at line 5: z.sum().backward()\n"
        "  saved by mul at line 3: z = y * y\n"
        "  changed at line 4: y += 1\n"
        "  change a copy instead (x = x + 1 rather than x += 1), or clone() before the change"
    )


def test_a_saved_value_changed_through_its_memory():
    def program():
        x = torch.tensor([1.0, 2.0], requires_grad=True)
        w = x.exp()
        w.detach()[1:].zero_()
        w.sum().backward()

    text = message(BackwardError, program)
    assert "exp needs a value f32[2] it saved" in text
    assert "saved by exp at line 2: w = x.exp()\n  changed at line 3: w.detach()[1:].zero_()" in text


def test_a_leaf_changed_in_place():
    def program():
        w = torch.ones(3, requires_grad=True)
        w -= 0.1

    assert message(BackwardError, program) == (
        "sub_: a leaf that requires grad cannot be changed in place while the tape is recording\n"
        "  at line 2: w -= 0.1\n"
        "  to update a parameter, do it inside `with no_grad():`; to compute on, make a new tensor"
    )
    w = torch.ones(3, requires_grad=True)
    with pytest.raises(BackwardError, match=r"x\[i\] = v: a leaf that requires grad cannot be changed"):
        w[0] = 1.0
    with pytest.raises(BackwardError, match="a view of a leaf that requires grad cannot be changed"):
        w[:2].mul_(2)
    assert w.tolist() == [1.0, 1.0, 1.0]


def test_backward_of_what_is_not_a_scalar():
    def program():
        x = torch.ones(2, 3, requires_grad=True)
        (x * 2).backward()

    assert message(GradientError, program) == (
        "backward: the output is f32[2,3], not a scalar, so its gradient needs a direction\n"
        "  at line 2: (x * 2).backward()\n"
        "  reduce it first (loss.sum(), loss.mean()), or pass gradient= of its shape"
    )
    x = torch.ones(2, requires_grad=True)
    with pytest.raises(GradientError, match=r"the gradient has shape \(3,\), the output f32\[2\]"):
        (x * 2).backward(torch.ones(3))


def test_integers_that_require_grad():
    def program():
        torch.tensor([1, 2], requires_grad=True)

    assert message(NotDifferentiableError, program) == (
        "tensor: int64 has no derivatives; only floats and complex numbers do\n"
        "  at line 1: torch.tensor([1, 2], requires_grad=True)\n"
        "  convert first: x.float(), or tensor(..., dtype=float32)"
    )


def test_shapes_that_do_not_fit():
    def program():
        torch.ones(2, 3, requires_grad=True) + torch.ones(4)

    assert message(BroadcastError, program) == (
        "add: shapes (2, 3) and (4,) do not broadcast: axis -1 has sizes 3 and 4\n"
        "  at line 1: torch.ones(2, 3, requires_grad=True) + torch.ones(4)\n"
        "  sizes must be equal or 1, counted from the last axis; reshape or index with None"
    )
    layer = nn.Linear(4, 2)
    with pytest.raises(ShapeError, match=r"linear: the input f32\[5,3\] ends in 3, the layer takes 4 features"):
        layer(torch.ones(5, 3))


def test_a_state_dict_that_does_not_fit():
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
    state = model.state_dict()
    state["0.weight"] = torch.zeros(3, 4)
    state["3.bias"] = state.pop("2.bias")
    before = model[0].bias.tolist()
    state["0.bias"] = torch.zeros(3)

    def program():
        model.load_state_dict(state)

    assert message(ArgumentError, program) == (
        "load_state_dict: the state dict does not fit Sequential:\n"
        "  2.bias: missing in the state dict\n"
        "  3.bias: unexpected, the module has no such name\n"
        "  0.weight: shape (3, 4) in the state dict, (3, 2) in the module\n"
        "  at line 1: model.load_state_dict(state)\n"
        "  nothing was loaded; strict=False ignores missing and unexpected names"
    )
    assert model[0].bias.tolist() == before


def test_backward_without_anything_recorded():
    def program():
        x = torch.ones(2, requires_grad=True)
        with torch.no_grad():
            y = (x * 2).sum()
        y.backward()

    assert message(BackwardError, program) == (
        "backward: f32[] does not require grad: nothing was recorded on the way to it\n"
        "  at line 4: y.backward()\n"
        "  make a leaf with requires_grad=True, and compute outside no_grad() and without detach()"
    )


def test_numpy_of_a_tensor_that_requires_grad():
    def program():
        torch.ones(2, requires_grad=True).numpy()

    assert message(BackwardError, program) == (
        "numpy: f32[2] requires grad, and what NumPy does with it would not be recorded\n"
        "  at line 1: torch.ones(2, requires_grad=True).numpy()\n"
        "  use x.detach().numpy()"
    )
    with pytest.raises(BackwardError, match=r"use x.detach\(\).numpy\(\)"):
        np.asarray(torch.ones(2, requires_grad=True))


@pytest.mark.parametrize(
    ("error", "text", "f"),
    [
        (ArgumentError, "have classes 0 to 2", lambda: F.cross_entropy(torch.ones(2, 3), torch.tensor([0, 3]))),
        (ShapeError, "have different shapes", lambda: F.mse_loss(torch.ones(3, 1), torch.ones(3))),
        (ArgumentError, "rows 0 to 3", lambda: nn.Embedding(4, 2)(torch.tensor([4]))),
        (DtypeError, "embedding: positions are integers", lambda: nn.Embedding(4, 2)(torch.ones(2))),
        (DtypeError, "add_: a float32 result cannot be stored in place in i64", lambda: torch.arange(3).add_(0.5)),
        (ShapeError, "does not fit into f32", lambda: torch.ones(3).add_(torch.ones(2, 3))),
        (BackwardError, "share one place in memory", lambda: torch.ones(1, 3).expand(2, 3).zero_()),
        (ArgumentError, "nn.ModuleList", lambda: optim.SGD([], lr=0.1)),
        (ArgumentError, "is a result, not a leaf", lambda: optim.SGD([torch.ones(2, requires_grad=True) * 1], lr=0.1)),
        (BackwardError, "do not depend on input 0", lambda: unused()),
        (IndexError, "out of range", lambda: torch.ones(3)[5]),
        (ArgumentError, "item", lambda: torch.ones(3).item()),
        (ArgumentError, "bool", lambda: bool(torch.ones(3))),
        (AttributeError, "minigrad.tape has no 'fft'", lambda: torch.fft),
    ],
)
def test_other_mistakes(error, text, f):
    with pytest.raises(error, match=re.escape(text)):
        f()


def unused():
    x, w = torch.ones(2, requires_grad=True), torch.ones(2, requires_grad=True)
    torch.autograd.grad((x * x).sum(), w)


def test_values_of_two_front_ends():
    def program():
        with tf.Graph().as_default():
            c = tf.constant(1.0)
            t = torch.tensor(1.0)
            c + t

    text = message(MixedFrontEndsError, program)
    assert "cannot meet in one op\n  at line 4: c + t" in text
    assert "session value made at line 2" in text and "tape value made at line 3" in text
    with tf.Graph().as_default(), pytest.raises(MixedFrontEndsError):
        torch.tensor(1.0) + tf.constant(1.0)


def test_a_tensor_inside_a_trace():
    t = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(MixedFrontEndsError, match="a tape value and a traced value cannot meet"):
        jax.jit(lambda x: t * x)(1.0)
    with pytest.raises(MixedFrontEndsError, match="a tape value is used in code that is being traced"):
        jax.jit(lambda x: x * t)(1.0)
