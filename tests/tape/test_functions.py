"""Functions and methods: PyTorch's names and arguments, NumPy's numbers."""

import numpy as np
import pytest

import minigrad.tape as torch
from minigrad.errors import ArgumentError
from minigrad.tape.functions import FUNCTIONS, ROWS

A = np.array([[0.3, -0.7, 0.9], [0.1, 0.5, -0.2]], np.float32)


def t(a=A, grad=False):
    return torch.tensor(a, requires_grad=grad)


def same(ours, theirs):
    np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda x: x.sum(), A.sum()),
        (lambda x: x.sum(dim=1), A.sum(1)),
        (lambda x: x.sum(1, True), A.sum(1, keepdims=True)),
        (lambda x: torch.sum(x, dim=(0, 1), keepdim=True), A.sum((0, 1), keepdims=True)),
        (lambda x: x.sum(axis=0, keepdims=True), A.sum(0, keepdims=True)),
        (lambda x: torch.mean(input=x, dim=-1), A.mean(-1)),
        (lambda x: x.var(), A.var(ddof=1)),
        (lambda x: x.std(dim=0, unbiased=False), A.std(0)),
        (lambda x: x.norm(), np.linalg.norm(A)),
        (lambda x: x.max(), A.max()),
        (lambda x: x.max(dim=1).values, A.max(1)),
        (lambda x: torch.max(x, 0, keepdim=True)[0], A.max(0, keepdims=True)),
        (lambda x: torch.min(x, -x), np.minimum(A, -A)),
        (lambda x: x.argmax(dim=1), A.argmax(1)),
        (lambda x: x.sort(dim=1, descending=True).values, -np.sort(-A, 1)),
        (lambda x: x.topk(2).values, -np.sort(-A, 1)[:, :2]),
        (lambda x: x.cumsum(dim=1), A.cumsum(1)),
        (lambda x: x.clamp(min=0.0), A.clip(0)),
        (lambda x: torch.clamp(x, -0.5, 0.5), A.clip(-0.5, 0.5)),
        (lambda x: x.masked_fill(x < 0, 9.0), np.where(A < 0, np.float32(9), A)),
        (lambda x: torch.where(x > 0, x, 0.0), np.where(A > 0, A, np.float32(0))),
        (lambda x: x @ x.T, A @ A.T),
        (lambda x: torch.mm(x, x.t()), A @ A.T),
        (lambda x: torch.einsum("ij,kj->ik", x, x), A @ A.T),
        (lambda x: torch.addmm(torch.ones(2), x, x.T, alpha=2.0), 1 + 2 * A @ A.T),
        (lambda x: torch.add(x, x, alpha=3), 4 * A),
        (lambda x: torch.sub(x, 1, alpha=2), A - 2),
        (lambda x: 1 / (x + 2), 1 / (A + 2)),
        (lambda x: 2**x, np.exp2(A)),
        (lambda x: x.pow(2), A**2),
        (lambda x: x.softmax(dim=-1), np.exp(A) / np.exp(A).sum(-1, keepdims=True)),
        (lambda x: x.view(3, -1), A.reshape(3, 2)),
        (lambda x: x.reshape((3, 2)), A.reshape(3, 2)),
        (lambda x: x.flatten(), A.ravel()),
        (lambda x: x.unsqueeze(1).flatten(0, 1), A),
        (lambda x: x.permute(1, 0), A.T),
        (lambda x: x.transpose(0, -1), A.T),
        (lambda x: x[None].squeeze(), A),
        (lambda x: x[:, None].expand(-1, 2, -1), np.broadcast_to(A[:, None], (2, 2, 3))),
        (lambda x: x.repeat(2, 1), np.tile(A, (2, 1))),
        (lambda x: torch.cat([x, x], dim=1), np.concatenate([A, A], 1)),
        (lambda x: torch.stack((x, x), dim=1), np.stack([A, A], 1)),
        (lambda x: x.split(2, dim=1)[1], A[:, 2:]),
        (lambda x: x.split([1, 2], dim=1)[1], A[:, 1:]),
        (lambda x: x.chunk(2, dim=1)[0], A[:, :2]),
        (lambda x: x.unbind(1)[2], A[:, 2]),
        (lambda x: x.narrow(1, 1, 2), A[:, 1:]),
        (lambda x: x.gather(1, torch.tensor([[2], [0]])), np.take_along_axis(A, np.array([[2], [0]]), 1)),
        (lambda x: x.index_select(1, torch.tensor([2, 0])), A[:, [2, 0]]),
        (lambda x: x[torch.tensor([1, 0, 1])], A[[1, 0, 1]]),
        (lambda x: x[..., -1], A[..., -1]),
        (lambda x: x[x > 0], A[A > 0]),
        (lambda x: x.tril(-1), np.tril(A, -1)),
        (lambda x: x.flip(1), A[:, ::-1]),
        (lambda x: torch.roll(x, shifts=1, dims=1), np.roll(A, 1, 1)),
        (lambda x: torch.diag(x @ x.T), np.diag(A @ A.T)),
        (lambda x: x.double(), A.astype(np.float64)),
        (lambda x: x.to(torch.float64, copy=True), A.astype(np.float64)),
        (lambda x: sum(x), A.sum(0)),
    ],
)
def test_functions_give_numpys_numbers(ours, theirs):
    same(ours(t()), theirs)


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_every_function_has_a_name_and_a_doc(name):
    assert getattr(torch, name).__name__ in (name, FUNCTIONS[name].__name__) and FUNCTIONS[name].__doc__


@pytest.mark.parametrize("name", sorted(n for n, op in ROWS.items() if op.operands == 1))
def test_rows_are_functions_methods_and_give_what_the_op_gives(name):
    x = torch.tensor([2, 3]) if name.endswith("not") else torch.tensor([0.25, 0.5])
    expected = ROWS[name](x)
    method = getattr(x, name)
    on_x = method if name in ("real", "imag") else method()  # as in PyTorch, these two are attributes
    for y in (getattr(torch, name)(x), on_x, getattr(torch, name)(input=x)):
        assert y.dtype == expected.dtype and y.tolist() == pytest.approx(expected.tolist(), nan_ok=True)


def test_creation():
    assert torch.zeros(2, 3).shape == torch.zeros((2, 3)).shape == (2, 3)
    assert torch.ones(2, dtype=torch.int64).tolist() == [1, 1]
    assert torch.full((2,), 7.0).tolist() == [7.0, 7.0] and torch.eye(2).tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert torch.arange(5).dtype == torch.int64 and torch.arange(0, 1, 0.25).tolist() == [0.0, 0.25, 0.5, 0.75]
    assert torch.linspace(0, 1, 3).tolist() == [0.0, 0.5, 1.0]
    assert torch.zeros_like(t()).shape == (2, 3) and t().new_ones(2).dtype == torch.float32
    assert [torch.tensor(v).dtype for v in (1, 1.0, True, [1, 2.0])] == [
        torch.int64,
        torch.float32,
        torch.bool,
        torch.float32,
    ]
    assert torch.tensor(0.1, dtype=torch.float64).item() == 0.1
    x = torch.ones(3)
    assert torch.as_tensor(x) is x and torch.tensor(x) is not x
    torch.zeros(3)[1] = 5  # memory of its own, not a shared constant
    assert torch.zeros(3).tolist() == [0.0, 0.0, 0.0]


def test_random_numbers():
    torch.manual_seed(3)
    state = torch.get_rng_state()
    first = [torch.rand(3), torch.randn(2, 2), torch.randint(0, 10, (5,)), torch.randperm(4), t().uniform_(-1, 1)]
    torch.set_rng_state(state)
    again = [torch.rand(3), torch.randn(2, 2), torch.randint(0, 10, (5,)), torch.randperm(4), t().uniform_(-1, 1)]
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert sorted(first[3].tolist()) == [0, 1, 2, 3]
    assert first[2].dtype == torch.int64 and first[1].dtype == torch.float32
    assert torch.multinomial(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), 1).tolist() == [[1], [0]]
    with pytest.raises(ArgumentError, match="there is no integer from 3 up to"):
        torch.randint(3, 3, (1,))


def test_dtypes_promote_as_in_pytorch():
    i, f, d = torch.tensor([1]), torch.tensor([1.0]), torch.tensor([1.0], dtype=torch.float64)
    assert (i + 1.5).dtype == (i + f).dtype == (i / i).dtype == (f * 2).dtype == torch.float32
    assert (f * np.sqrt(2)).dtype == (np.sqrt(2) * f).dtype == torch.float32
    assert (f + d).dtype == torch.float64 and (i + 2).dtype == torch.int64 and (i > 0).dtype == torch.bool


def test_constants():
    assert (torch.inf, torch.pi, torch.e) == (np.inf, np.pi, np.e) and torch.nan != torch.nan
    assert torch.zeros(2).masked_fill(torch.tensor([True, False]), -torch.inf).tolist() == [-np.inf, 0.0]


def test_a_tensor_reads_as_numbers():
    x = t(grad=True)
    assert len(x) == 2 and x.numel() == x.size == 6 and x.size() == (2, 3) and x.size(1) == 3 and x.dim() == 2
    assert float(x[0, 0]) == pytest.approx(0.3) and f"{x[0, 0]:.2f}" == "0.30" and bool(x[0, 0] > 0)
    assert [10, 20, 30][torch.tensor(1)] == 20 and np.asarray(x.detach()).shape == (2, 3)
    assert repr(t(A[:1, :2])) == "tensor([[ 0.3, -0.7]])"
    assert repr(torch.tensor([1.0], dtype=torch.float64)) == "tensor([1.], dtype=float64)"


def test_gradients_of_functions_that_pick():
    x = torch.tensor([[3.0, 1.0, 2.0]], requires_grad=True)
    values, positions = x.max(dim=1)
    (values.sum() + x.topk(2).values.sum() + x.gather(1, positions[:, None]).sum() + x[x < 2.5].sum()).backward()
    assert x.grad.tolist() == [[3.0, 1.0, 2.0]]


@pytest.mark.parametrize("largest", [True, False])
@pytest.mark.parametrize("dim", [0, 1, -1])
def test_topk(dim, largest):
    a = np.random.default_rng(0).integers(0, 9, (40, 50)).astype(np.float32)
    order = np.argsort(-a if largest else a, dim, stable=True).take(range(3), dim)
    values, positions = torch.tensor(a).topk(3, dim, largest)
    assert np.array_equal(positions.numpy(), order)
    assert np.array_equal(values.numpy(), np.take_along_axis(a, order, dim))
    with pytest.raises(ArgumentError, match=r"topk: k must be from 0 to .* got 51"):
        torch.tensor(a).topk(51, dim, largest)


def test_layouts():
    x = t()
    turned = x.movedim(0, 1)
    assert turned.shape == (3, 2) and not turned.is_contiguous() and turned.contiguous().is_contiguous()
    assert x.contiguous() is x and torch.equal(turned.contiguous(), x.T)
    strided = t(grad=True)
    y = strided.T[::2].contiguous().view(4)  # refused where the memory is not row by row
    assert y.tolist() == A.T[::2].ravel().tolist() and t().T.contiguous().add_(1).is_contiguous()
    (y * torch.arange(4)).sum().backward()
    assert strided.grad.tolist() == [[0, 0, 2], [1, 0, 3]]
    assert t()[:, ::2].contiguous().is_contiguous() and t()[0, ::2].contiguous().is_contiguous()
    assert t(A[:, :1]).expand_as(x).shape == (2, 3)
    assert x.type_as(torch.tensor([1])).dtype == torch.int64


def test_random_tensors_are_like_others_and_begin_again_from_a_state():
    x = torch.ones(3, 4, dtype=torch.float64)
    for like in (torch.rand_like, torch.randn_like):
        assert like(x).shape == x.shape and like(x).dtype == x.dtype and like(x, torch.float32).dtype == torch.float32
    generator = torch.Generator().manual_seed(7)
    state = generator.get_state()
    first = x.clone().normal_(2.0, 0.5, generator=generator)
    generator.set_state(state)
    assert torch.equal(first, x.clone().normal_(2.0, 0.5, generator=generator)) and generator.initial_seed() == 7
    assert first.mean().item() == pytest.approx(2.0, abs=1.0)


def test_inference_mode_records_nothing():
    x = t(grad=True)
    with torch.inference_mode():
        assert not (x * 2).requires_grad
    with torch.inference_mode(False):
        assert (x * 2).requires_grad

    @torch.inference_mode()
    def f(x):
        return x * 2

    assert not f(x).requires_grad and (x * 2).requires_grad


def test_new_tensors_of_a_tensors_dtype():
    x = torch.ones(2, 3, dtype=torch.float64)
    made = [x.new_zeros(2), x.new_empty(1, 2), x.new_full((2,), 3), x.new_tensor([1, 2])]
    assert [tuple(m.shape) for m in made] == [(2,), (1, 2), (2,), (2,)] and {m.dtype for m in made} == {torch.float64}
    assert made[2].tolist() == [3.0, 3.0] and x.new_zeros(2, dtype=torch.int64).dtype == torch.int64
    assert x.view_as(torch.ones(6)).shape == (6,) and x.reshape_as(torch.ones(3, 2)).shape == (3, 2)
    assert x.is_floating_point() and not x.byte().is_floating_point() and x.byte().dtype == torch.uint8
    assert torch.bmm(torch.ones(2, 3, 4), torch.ones(2, 4, 5)).shape == (2, 3, 5)


@pytest.mark.parametrize("p", [2.0, 1.0, 3.0, np.inf, "fro"])
def test_norms(p):
    order = 2.0 if p == "fro" else p
    same(t().norm(p), np.linalg.norm(A.ravel(), order))
    same(t().norm(p, dim=1, keepdim=True), np.linalg.norm(A, order, axis=1, keepdims=True))
    zero = torch.zeros(3, requires_grad=True)
    zero.norm(p).backward()  # no direction is the steepest one: the smallest subgradient
    assert zero.grad.tolist() == [0.0, 0.0, 0.0]
