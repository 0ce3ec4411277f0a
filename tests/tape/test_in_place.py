"""In-place ops and views: the same numbers and gradients as the program without them, or an error."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import minigrad.tape as torch
from minigrad.errors import BackwardError
from minigrad.tape.functions import FUNCTIONS
from minigrad.tape.methods import IN_PLACE


def test_in_place_on_a_result():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y.add_(1)
    y *= x
    y.sum().backward()
    assert y.tolist() == [3.0, 10.0] and x.grad.tolist() == [5.0, 9.0]


def test_an_op_that_needs_its_own_old_operand_keeps_it():
    x, w = (torch.tensor(v, requires_grad=True) for v in ([1.0, 2.0], [3.0, 4.0]))
    y = x * 1
    y.mul_(w)  # w's gradient is the old y
    y.sum().backward()
    assert w.grad.tolist() == [1.0, 2.0] and x.grad.tolist() == [3.0, 4.0]
    y = (x * 1).square_()
    y.sum().backward()
    assert x.grad.tolist() == [3.0 + 2.0, 4.0 + 4.0]


def test_a_value_that_is_not_needed_may_be_overwritten():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x + 1
    z = y + 2  # addition saves types only
    y.zero_()
    z.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_versions_are_counted_where_the_memory_is():
    x = torch.zeros(4)
    view = x[1:3]
    assert x._version == view._version == 0
    view += 1
    x.mul_(2)
    assert x._version == view._version == view.detach()._version
    assert x.tolist() == [0.0, 2.0, 2.0, 0.0]
    assert torch.zeros(4)._version == 0


def test_views_share_memory():
    x = torch.arange(6).float()
    m = x.view(2, 3)
    m.T[0, 1] = 10.0
    m[:, 1].zero_()
    x.reshape(3, 2).unbind(1)[1][2] = 7.0
    assert x.tolist() == [0.0, 0.0, 2.0, 10.0, 0.0, 7.0]
    assert m.data_ptr() == x.data_ptr() and x.clone().data_ptr() != x.data_ptr()
    a = np.zeros(3, np.float32)
    t = torch.from_numpy(a)
    t += 1
    assert a.tolist() == [1.0] * 3 and t.numpy() is a


def test_writing_through_a_view_reaches_the_base_and_all_its_views():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0], requires_grad=True)
    k = torch.tensor([10.0, 20.0], requires_grad=True)
    base = x * 1
    before, after = base[:2], base[1:3]
    after.mul_(k)
    assert base.tolist() == [1.0, 20.0, 60.0, 4.0] and before.tolist() == [1.0, 20.0]
    (before * before).sum().backward(retain_graph=True)
    assert x.grad.tolist() == [2.0, 400.0, 0.0, 0.0] and k.grad.tolist() == [80.0, 0.0]
    x.grad = None
    base.sum().backward()
    assert x.grad.tolist() == [1.0, 10.0, 20.0, 1.0]


def test_a_base_without_history_gets_one_through_its_view():
    w = torch.tensor([2.0, 3.0], requires_grad=True)
    out = torch.zeros(2, 2)
    out[0] = w
    out[:, 1] = out[:, 1] * 5
    out.sum().backward()
    assert out.tolist() == [[2.0, 15.0], [0.0, 0.0]] and w.grad.tolist() == [1.0, 5.0]


def test_assignment_at_positions_and_masks():
    x = torch.arange(5).float().requires_grad_()
    v = torch.tensor([1.0, 2.0], requires_grad=True)
    y = x * 2
    y[torch.tensor([0, 3])] = v
    y[y > 7] = 0.0
    y.sum().backward()
    assert y.tolist() == [1.0, 2.0, 4.0, 2.0, 0.0]
    assert x.grad.tolist() == [0.0, 2.0, 2.0, 0.0, 0.0] and v.grad.tolist() == [1.0, 1.0]


def test_second_derivatives_through_a_write():
    x = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    y = x * x
    y[1:] *= x[1:]
    (g,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [2.0, 12.0, 27.0]
    assert torch.autograd.grad(g.sum(), x)[0].tolist() == [2.0, 12.0, 18.0]


def test_writes_under_no_grad_leave_histories_alone():
    w = torch.ones(2, requires_grad=True)
    with torch.no_grad():
        w -= 0.5
        w[0] = 3.0
    assert w.is_leaf and w.tolist() == [3.0, 0.5]
    (w * w).sum().backward()
    assert w.grad.tolist() == [6.0, 1.0]
    y = w * w
    with torch.no_grad():
        w.zero_()
    with pytest.raises(BackwardError, match="mul needs a value"):
        y.sum().backward()


# A random program on a 2×3 tensor and its views; its gradients against the complex step through NumPy's own views.
VIEWS = {
    "row": (lambda t: t[0], lambda a: a[0]),
    "columns": (lambda t: t[:, 1:], lambda a: a[:, 1:]),
    "stride": (lambda t: t[:, ::2], lambda a: a[:, ::2]),
    "transpose": (lambda t: t.T, lambda a: a.T),
    "flat": (lambda t: t.view(6), lambda a: a.reshape(6)),
    "tail": (lambda t: t.view(3, 2)[1:].flatten(), lambda a: a.reshape(3, 2)[1:].reshape(-1)),
}
WRITES = {
    "mul_": (lambda t, s: t.mul_(s), lambda a, s: a * s),
    "add_": (lambda t, s: t.add_(s), lambda a, s: a + s),
    "fill_": (lambda t, s: t.fill_(s), lambda a, s: 0 * a + s),
    "tanh_": (lambda t, s: t.tanh_(), lambda a, s: np.tanh(a)),
    "mul itself": (lambda t, s: t.mul_(t), lambda a, s: a * a),
}


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(VIEWS)), st.sampled_from(sorted(WRITES))), max_size=5), st.booleans())
def test_random_programs_in_place_have_the_right_gradients(steps, early):
    start = np.linspace(0.3, 1.2, 6).reshape(2, 3)
    weight = np.linspace(-1, 2, 6).reshape(2, 3)

    def plain(x, s):
        base = x * 2
        for view, op in steps:
            shown = VIEWS[view][1](base)
            shown[...] = WRITES[op][1](shown.copy(), s)
        return (base * base * weight).sum() + VIEWS["columns"][1](base).sum()

    x = torch.tensor(start, requires_grad=True)
    s = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    base = x * 2
    made = {name: f(base) for name, (f, _) in VIEWS.items()}
    for view, op in steps:
        WRITES[op][0](made[view] if early else VIEWS[view][0](base), s)
    loss = (base * base * torch.tensor(weight)).sum() + made["columns"].sum()
    assert loss.item() == pytest.approx(plain(start.copy(), 0.7), rel=1e-12)
    if not loss.requires_grad:
        return
    loss.backward()
    h = 1e-30  # the complex step: f'(x) = Im f(x + ih) / h, exact for these programs
    for index in np.ndindex(2, 3):
        step = np.zeros((2, 3), complex)
        step[index] = h * 1j
        assert x.grad[index].item() == pytest.approx(plain(start + step, 0.7).imag / h, rel=1e-9, abs=1e-9)
    slope = plain(start + 0j, 0.7 + h * 1j).imag / h
    assert (0.0 if s.grad is None else s.grad.item()) == pytest.approx(slope, rel=1e-9, abs=1e-9)


def test_in_place_with_a_wider_operand_keeps_the_dtype():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    w = torch.tensor([3.0, 4.0], dtype=torch.float64, requires_grad=True)
    y = x * 1
    y *= w
    assert y.dtype == torch.float32
    (y * y).sum().backward()
    assert x.grad.tolist() == [18.0, 64.0] and w.grad.tolist() == [6.0, 32.0]
    assert (x.grad.dtype, w.grad.dtype) == (torch.float32, torch.float64)


def test_an_expanded_tensor_cannot_be_assigned_to():
    with pytest.raises(BackwardError, match=r"x\[i\] = v: several elements of f32\[2,3\] share one place"):
        torch.ones(1, 3).expand(2, 3)[0] = 1.0


ARGUMENTS = {
    **dict.fromkeys(("add", "sub", "mul", "div", "pow"), (2.0,)),
    **dict.fromkeys(("clamp", "clip"), (0.4, 0.6)),
    **dict.fromkeys(("remainder", "floor_divide"), (0.4,)),
    "masked_fill": (torch.tensor([True, False]), 9.0),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_every_function_in_place_is_itself(name):
    x, more = torch.tensor([[0.3, 0.7], [0.5, -0.9]]), ARGUMENTS.get(name, ())
    expected = FUNCTIONS[name](x, *more)
    changed = x.clone()
    assert getattr(changed, f"{name}_")(*more) is changed
    np.testing.assert_array_equal(changed.numpy(), expected.numpy())
    gradients = []
    for f in (lambda h: getattr(h, f"{name}_")(*more), lambda h: FUNCTIONS[name](h, *more)):
        w = x.clone().requires_grad_()
        h = w * 1
        torch.nan_to_num(f(h)).sum().backward()
        gradients.append(None if w.grad is None else w.grad.tolist())
    assert str(gradients[0]) == str(gradients[1])
