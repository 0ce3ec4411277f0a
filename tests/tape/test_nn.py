"""Modules, losses and optimizers. Reference numbers are PyTorch 2.13's for the same program."""

import copy
import pickle

import numpy as np
import pytest

import minigrad.tape as torch
from minigrad.errors import ArgumentError, ShapeError, ValueTypeError
from minigrad.tape import nn, optim
from minigrad.tape.nn import functional as F


def waves(shape, rate, start=0.0):
    return torch.from_numpy(np.sin(np.arange(np.prod(shape)) * rate + start).reshape(shape)).float()


def classifier():
    model = nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3))
    with torch.no_grad():
        for k, p in enumerate(model.parameters()):
            p.copy_(waves(p.shape, 1.7, k) * 0.5)
    return model


X = torch.from_numpy(np.cos(np.arange(60) * 0.37).reshape(12, 5)).float()
Y = torch.arange(12) % 3


@pytest.mark.parametrize(
    ("make", "losses"),
    [
        (lambda p: optim.SGD(p, lr=0.3), [1.092536, 1.039834, 0.770149, 0.5591394]),
        (
            lambda p: optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
            [1.092536, 1.074402, 0.7625054, 0.4778074],
        ),
        (lambda p: optim.SGD(p, lr=0.1, momentum=0.9, nesterov=True), [1.092536, 1.058465, 0.7124049, 0.4449337]),
        (lambda p: optim.Adam(p, lr=0.05, weight_decay=0.01), [1.092536, 0.9602294, 0.4895867, 0.4023987]),
        (
            lambda p: optim.AdamW(p, lr=0.05, betas=(0.8, 0.99), weight_decay=0.1),
            [1.092536, 0.9621377, 0.4560557, 0.3974558],
        ),
    ],
    ids=["sgd", "momentum", "nesterov", "adam", "adamw"],
)
def test_training_gives_the_losses_of_pytorch(make, losses):
    model = classifier()
    optimizer = make(model.parameters())
    seen = []
    for _ in range(20):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(X), Y)
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    np.testing.assert_allclose([seen[i] for i in (0, 1, 9, 19)], losses, rtol=1e-5)


def test_an_optimizer_goes_on_from_its_state_dict():
    def steps(model, optimizer, n):
        for _ in range(n):
            optimizer.zero_grad()
            F.cross_entropy(model(X), Y).backward()
            optimizer.step()
        return [p.tolist() for p in model.parameters()]

    model = classifier()
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    steps(model, optimizer, 3)
    twin = classifier()
    twin.load_state_dict(model.state_dict())
    other = optim.Adam(twin.parameters(), lr=1.0)
    other.load_state_dict(optimizer.state_dict())
    assert other.param_groups[0]["lr"] == 0.05
    assert steps(twin, other, 3) == steps(model, optimizer, 3)
    with pytest.raises(ArgumentError, match=r"groups of \[6\] parameters do not fit groups of \[1\]"):
        optim.Adam([torch.ones(1, requires_grad=True)]).load_state_dict(optimizer.state_dict())


def test_parameter_groups_and_closures():
    a, b = (torch.ones(1, requires_grad=True) for _ in range(2))
    optimizer = optim.SGD([{"params": [a], "lr": 0.5}, {"params": [b]}], lr=0.1)

    def closure():
        optimizer.zero_grad(set_to_none=False)
        loss = (a * b).sum()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() == 1.0
    assert (a.item(), b.item()) == (0.5, pytest.approx(0.9))
    with pytest.raises(ArgumentError, match="appears twice"):
        optim.SGD([a, a], lr=0.1)
    with pytest.raises(ArgumentError, match="unknown options"):
        optim.SGD([{"params": [a], "rate": 1}], lr=0.1)
    with pytest.raises(ArgumentError, match="lr must not be negative"):
        optim.SGD([a], lr=-1)


def test_attention():
    q, k, v = (waves((1, 2, 3, 4), s).requires_grad_() for s in (0.3, 0.7, 1.1))
    a = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    a.square().sum().backward()
    expected = [0.0, 0.8912073, 0.8084964, -0.1577457, -0.1094038, 0.7076323]
    np.testing.assert_allclose(a.flatten()[:6].tolist(), expected, atol=1e-6)
    np.testing.assert_allclose(q.grad.flatten()[4:8].tolist(), [-0.0487074, 0.1446735, 0.2700122, 0.2683600], rtol=1e-5)


def test_cross_entropy_in_its_forms():
    logits = torch.from_numpy(np.sin(np.arange(12.0)).reshape(2, 3, 2)).float()
    labels = torch.tensor([[0, 2], [1, -100]])
    smooth = {"label_smoothing": 0.1}
    assert F.cross_entropy(logits, labels).item() == pytest.approx(1.3619369, rel=1e-5)
    assert F.cross_entropy(logits, labels, **smooth).item() == pytest.approx(1.3591504, rel=1e-5)
    each = F.cross_entropy(logits, labels, reduction="none")
    np.testing.assert_allclose(each.tolist(), [[1.3741565, 2.3082032], [0.4034507, 0.0]], rtol=1e-5)
    assert nn.CrossEntropyLoss()(logits, logits.softmax(1)).item() == pytest.approx(0.8971798, rel=1e-5)
    assert F.cross_entropy(logits, logits.softmax(1), **smooth).item() == pytest.approx(0.9403614, rel=1e-5)
    with pytest.raises(ShapeError, match="does not label"):
        F.cross_entropy(torch.ones(4, 3), torch.zeros(3).long())
    assert F.mse_loss(torch.ones(3), torch.zeros(3), reduction="sum").item() == 3.0


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(2, 3)
        self.rest = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 1, bias=False)])
        self.rest.append(self.first)  # shared
        self.scale = nn.Parameter(torch.ones(1))
        self.register_buffer("seen", torch.zeros(1))
        self.register_buffer("scratch", torch.zeros(1), persistent=False)
        self.drop = nn.Dropout(0.5)
        self.name = "net"

    def forward(self, x):
        self.seen += 1
        return self.rest[1](self.rest[0](self.drop(self.first(x)))) * self.scale


def test_what_a_module_is_made_of():
    net = Net()
    names = [n for n, _ in net.named_parameters()]
    assert names == ["scale", "first.weight", "first.bias", "rest.0.weight", "rest.0.bias", "rest.1.weight"]
    assert [n for n, _ in net.named_buffers()] == ["seen", "scratch"]
    assert [n for n, _ in net.named_modules()] == ["", "first", "rest", "rest.0", "rest.1", "drop"]
    assert [n for n, _ in net.named_children()] == ["first", "rest", "drop"]
    assert sorted(set(net.state_dict()) - set(names)) == ["rest.2.bias", "rest.2.weight", "seen"]
    net(torch.ones(4, 2)).sum().backward()
    assert all(p.grad is not None for p in net.parameters()) and net.seen.item() == 1.0
    net.zero_grad()
    assert all(p.grad is None for p in net.parameters())
    net.requires_grad_(False)
    assert not net(torch.ones(1, 2)).requires_grad


def test_modes_and_copies_of_a_module():
    net = Net()
    assert not net.eval().drop.training and net.train().drop.training
    x = torch.ones(3, 2)
    assert torch.equal(net.eval()(x), net(x))
    twin = copy.deepcopy(net)
    twin.load_state_dict(net.state_dict())
    assert torch.equal(twin(x), net(x))
    with torch.no_grad():
        twin.scale.zero_()
    assert net.scale.item() == 1.0 and twin.rest[2] is twin.first
    again = pickle.loads(pickle.dumps(net))
    assert torch.equal(again(x), net(x)) and all(p.requires_grad for p in again.parameters())
    seen = []
    net.apply(seen.append)
    assert seen[-1] is net and len(seen) == 6
    assert net.double()(x.double()).dtype == torch.float64
    net.load_state_dict({"scale": torch.zeros(1)}, strict=False)
    assert net.scale.item() == 0.0


def test_what_may_be_assigned():
    net = Net()
    net.scale = nn.Parameter(torch.zeros(1))
    assert net.scale.item() == 0.0
    with pytest.raises(ValueTypeError, match="is one of parameters: a float cannot replace it"):
        net.scale = 1.0
    del net.scale
    assert not hasattr(net, "scale")

    class Early(nn.Module):
        def __init__(self):
            self.w = nn.Parameter(torch.zeros(1))

    with pytest.raises(ArgumentError, match=r"call super\(\).__init__\(\) first"):
        Early()


def test_how_a_module_reads():
    model = nn.Sequential(nn.Linear(2, 3), nn.Sequential(nn.ReLU(), nn.Dropout(0.1)))
    assert repr(model) == (
        "Sequential(\n"
        "  (0): Linear(in_features=2, out_features=3, bias=True)\n"
        "  (1): Sequential(\n"
        "    (0): ReLU()\n"
        "    (1): Dropout(p=0.1)\n"
        "  )\n"
        ")"
    )
    assert len(model) == 2 and model[-1] is model[1] and len(model[:1]) == 1
    assert [type(m).__name__ for m in model] == ["Linear", "Sequential"]


def test_initial_values_have_pytorchs_spread():
    torch.manual_seed(1)
    layer = nn.Linear(400, 300)
    assert layer.weight.abs().max().item() == pytest.approx(1 / 20, rel=1e-3)
    assert layer.bias.abs().max().item() == pytest.approx(1 / 20, rel=0.02)
    table = nn.Embedding(1000, 50).weight
    assert (table.mean().item(), table.std().item()) == (pytest.approx(0, abs=0.02), pytest.approx(1, abs=0.02))
    torch.manual_seed(1)
    assert torch.equal(nn.Linear(400, 300).weight, layer.weight)


def test_dropout():
    torch.manual_seed(0)
    x = torch.ones(1000, requires_grad=True)
    y = F.dropout(x, 0.25)
    assert sorted(set(y.tolist())) == [0.0, pytest.approx(4 / 3)] and y.mean().item() == pytest.approx(1, abs=0.1)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
    assert F.dropout(x, 0.25, training=False) is x and F.dropout(x, 1.0).sum().item() == 0.0
    for p in (0.5, 1.0):
        h = torch.ones(100)
        assert F.dropout(h, p, inplace=True) is h and (h == 0).any()


def test_in_place_activations():
    x = torch.tensor([-1.0, 2.0], requires_grad=True)
    h = x * 1
    y = nn.ReLU(inplace=True)(h)
    assert y is h
    y.sum().backward()
    assert x.grad.tolist() == [0.0, 1.0]


def test_one_hot():
    labels = torch.tensor([[0, 2], [1, 1]])
    given = F.one_hot(labels, num_classes=4)
    assert given.shape == (2, 2, 4) and given.dtype is torch.int64
    np.testing.assert_array_equal(given.numpy(), np.eye(4, dtype=np.int64)[labels.numpy()])
    assert F.one_hot(labels).shape == (2, 2, 3)
    with pytest.raises(ArgumentError, match="one_hot: labels run from 0 to 2, there are classes 0 to 1"):
        F.one_hot(labels, 2)


@pytest.mark.parametrize(
    ("fill", "mean", "deviation"),
    [
        (nn.init.zeros_, 0.0, 0.0),
        (nn.init.ones_, 1.0, 0.0),
        (lambda w: nn.init.constant_(w, 2.5), 2.5, 0.0),
        (lambda w: nn.init.uniform_(w, 1.0, 2.0), 1.5, 12**-0.5),
        (lambda w: nn.init.normal_(w, 1.0, 2.0), 1.0, 2.0),
        (nn.init.kaiming_uniform_, 0.0, (2 / 400) ** 0.5),  # of a weight [out, in]: fan in 400, fan out 100
        (nn.init.kaiming_normal_, 0.0, (2 / 400) ** 0.5),
        (nn.init.xavier_uniform_, 0.0, (2 / 500) ** 0.5),
        (nn.init.xavier_normal_, 0.0, (2 / 500) ** 0.5),
    ],
)
def test_initial_values_by_name(fill, mean, deviation):
    torch.manual_seed(0)
    w = nn.Parameter(torch.full((100, 400), torch.nan))
    assert fill(w) is w and w.is_leaf and w.requires_grad
    assert w.mean().item() == pytest.approx(mean, abs=0.03 * deviation + 1e-6)
    assert w.std().item() == pytest.approx(deviation, rel=0.02, abs=1e-6)


def test_fans_are_those_of_a_weight():
    assert nn.init.fans(torch.ones(2, 3, 4, 5)) == (3 * 20, 2 * 20)
    with pytest.raises(ArgumentError, match=r"init: f32\[3\] has no fan in and fan out"):
        nn.init.xavier_normal_(torch.ones(3))


def test_activations_and_losses_as_modules_are_their_functions():
    x = torch.tensor([[-1.5, 0.5, 2.0]])
    for module, function in [(nn.Tanh(), F.tanh), (nn.Sigmoid(), F.sigmoid), (nn.SiLU(), F.silu), (nn.ReLU(), F.relu)]:
        assert torch.equal(module(x), function(x)) and repr(module) == f"{type(module).__name__}()"
    assert nn.Identity()(x) is x
    assert nn.Flatten()(torch.ones(2, 3, 4)).shape == (2, 12) and nn.Flatten(0)(x).shape == (3,)
    y = torch.tensor([[0.0, 1.0, 1.0]])
    assert nn.MSELoss("sum")(x, y).item() == pytest.approx(1.5**2 + 0.5**2 + 1)
    expected = np.mean(np.logaddexp(0, x.numpy()) - x.numpy() * y.numpy())
    assert nn.BCEWithLogitsLoss()(x, y).item() == pytest.approx(expected, rel=1e-6)


def test_a_dict_of_modules_and_what_is_registered():
    parts = nn.ModuleDict({"a": nn.Linear(2, 3)})
    parts["b"] = nn.Identity()
    assert list(parts) == ["a", "b"] == list(parts.keys()) and len(parts) == 2 and "c" not in parts
    assert [n for n, _ in parts.named_parameters()] == ["a.weight", "a.bias"] and parts["a"] is next(
        iter(parts.values())
    )
    holder = nn.Module()
    holder.add_module("parts", parts)
    holder.register_buffer("seen", torch.zeros(1))
    holder.register_buffer("scratch", torch.zeros(1), persistent=False)
    holder.register_parameter("gain", None)
    assert len(list(holder.buffers())) == 2 and set(holder.state_dict()) == {"seen", "parts.a.weight", "parts.a.bias"}


def test_parameters_added_later_have_options_of_their_own():
    v, w = (nn.Parameter(torch.ones(1)) for _ in range(2))
    optimizer = optim.SGD([v], lr=0.5)
    optimizer.add_param_group({"params": [w], "lr": 0.25})
    (v + w).sum().backward()
    optimizer.step()
    assert (v.item(), w.item()) == (0.5, 0.75)
    with pytest.raises(ArgumentError, match="appears twice"):
        optimizer.add_param_group({"params": w})


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, None, 0), ((3, 2), (2, 1), (1, 0)), (3, 2, 1)])
def test_pooling(window, stride, padding):
    """Windows by NumPy; the gradient of a mean is spread, that of a maximum goes where it stands."""
    numbers = np.random.default_rng(0).normal(size=(2, 3, 7, 6))
    pair = lambda p: p if isinstance(p, tuple) else (p, p)
    (k, m), (s, t), (p, q) = pair(window), pair(window if stride is None else stride), pair(padding)

    def windows(fill):
        padded = np.pad(numbers, ((0, 0), (0, 0), (p, p), (q, q)), constant_values=fill)
        return np.lib.stride_tricks.sliding_window_view(padded, (k, m), axis=(2, 3))[:, :, ::s, ::t]

    x = torch.tensor(numbers, requires_grad=True)
    largest = F.max_pool2d(x, window, stride, padding)
    np.testing.assert_array_equal(largest.detach().numpy(), windows(-np.inf).max((-2, -1)))
    (slope,) = torch.autograd.grad(largest.sum(), x)
    assert slope.sum().item() == largest.numel() and set(numbers[slope.numpy() > 0]) == set(
        windows(-np.inf).max((-2, -1)).ravel()
    )
    mean = F.avg_pool2d(x, window, stride, padding)
    np.testing.assert_allclose(mean.detach().numpy(), windows(0).mean((-2, -1)), rtol=1e-12)
    inside = F.avg_pool2d(x, window, stride, padding, count_include_pad=False)
    np.testing.assert_allclose(inside.detach().numpy(), np.nanmean(windows(np.nan), (-2, -1)), rtol=1e-12)
    assert torch.equal(nn.MaxPool2d(window, stride, padding)(x), largest)
    assert torch.equal(nn.AvgPool2d(window, stride, padding)(x), mean)


def test_pooling_along_one_and_three_dims():
    x = torch.arange(8.0).reshape(1, 8)
    assert F.max_pool1d(x, 3, 2).tolist() == [[2, 4, 6]]
    assert F.avg_pool1d(x, 4).tolist() == [[1.5, 5.5]]
    cube = x.reshape(1, 2, 2, 2)
    assert F.max_pool3d(cube, 2).item() == 7 and F.avg_pool3d(cube, 2).item() == 3.5
    with pytest.raises(ShapeError, match="2 axes"):
        F.max_pool2d(torch.ones(3), 2)
