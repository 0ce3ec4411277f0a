"""Every op has on the tape the values and gradients of the reverse interpreter, by the shortcut or by its rule."""

import re
import zlib

import numpy as np
import pytest

import minigrad.tape as torch
from minigrad.errors import NotDifferentiableError
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, registry
from minigrad.ops.kinds import Draw
from minigrad.ops.rows import Row
from minigrad.tape.shortcut import derivative
from minigrad.testing.inventory import draw, label, op_samples

ROWS = {name: op for name, op in registry.items() if isinstance(op, Row) and "f" in op.takes}
SHAPES = {1: [((2, 3),), ((),), ((0, 2),)], 2: [((2, 3), (3,)), ((2, 1), (3,)), ((), (2,))], 3: [((2, 3), (), (3,))]}


def cases():
    for name, op in ROWS.items():
        for shapes in SHAPES[op.operands]:
            for dtype in ("float32", "float64"):
                draws = [Draw(shape, dtype, op.sample_domain(i)) for i, shape in enumerate(shapes)]
                yield pytest.param(op, draws, id=f"{name}-{dtype}-{len(shapes[0])}")
    for case in op_samples():
        if not isinstance(case.op, Row):
            yield pytest.param(case.op, case.draws, id=f"{label(case.op)}-{case.name}")


@pytest.mark.parametrize(("op", "draws"), list(cases()))
def test_an_op_on_tensors(op, draws, request):
    rng = np.random.default_rng(zlib.crc32(request.node.name.encode()))
    arrays = [draw(d, rng) for d in draws]
    leaves = [torch.tensor(a) for a in arrays]
    for x in leaves:
        x.requires_grad_(x.dtype.kind in "fc")
    try:
        ys, pull = vjp(lambda *xs: op(*xs) if op.many else [op(*xs)], [Array(a.copy()) for a in arrays])
    except NotDifferentiableError as refused:
        with pytest.raises(NotDifferentiableError, match=re.escape(refused.what)):
            op(*leaves)
        return
    results = op(*leaves)
    results = results if op.many else (results,)
    for ours, theirs in zip(results, ys, strict=True):
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours.detach().numpy(), theirs.array)
    wanted = [(r, k) for k, r in enumerate(results) if r.requires_grad]
    if not wanted:
        return
    seeds = {k: rng.uniform(-1, 1, r.shape).astype(r.dtype) for r, k in wanted}
    outputs, cotangents = [r for r, _ in wanted], [torch.tensor(seeds[k]) for _, k in wanted]
    try:
        bars = pull([Array(seeds[k]) if k in seeds else None for k in range(len(ys))])
    except NotDifferentiableError as refused:
        with pytest.raises(NotDifferentiableError, match=re.escape(refused.what)):
            torch.autograd.backward(outputs, cotangents)
        return
    torch.autograd.backward(outputs, cotangents)
    for x, bar in zip(leaves, bars, strict=True):
        if not x.requires_grad:
            assert bar is None and x.grad is None
            continue
        assert x.grad.dtype == x.dtype and x.grad.shape == x.shape
        zero = np.zeros(x.shape)  # as PyTorch: of what is connected there is a gradient, be it 0 everywhere
        np.testing.assert_allclose(x.grad.numpy(), zero if bar is None else bar.array, rtol=1e-6, atol=1e-12)


def test_which_rows_the_shortcut_takes():
    taken = [name for name, op in ROWS.items() if derivative(op, np.dtype("float32")) is not None]
    assert {"add", "mul", "div", "exp", "tanh", "pow", "max"} <= set(taken)
    assert (
        derivative(ROWS["mul"], np.dtype("complex64")) is None and derivative(ROWS["real"], np.dtype("float32")) is None
    )
