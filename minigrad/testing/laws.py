"""The laws every primitive keeps: functions `law(op, operands, rng)` that return, or raise `CheckFailedError`.

Floor 7. `operands(rng)` draws fresh operands (ndarrays) of one shape each, as often as a law wants them. Nothing
here knows any op: what is compared is always two ways to the same numbers, or numbers with differences of the
op's own values. The laws of derivatives and of batching have files of their own; `LAWS` has them all.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from minigrad import backends
from minigrad.errors import MinigradError
from minigrad.graph import check, run, subgraphs
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.interpreters.forward import jvp
from minigrad.op import Op, ndarray
from minigrad.ops.rows import Convert, Row
from minigrad.testing.batch_laws import batch_is_loop, batch_of_gradient, nested_batch_is_loop
from minigrad.testing.comparing import (
    Flat,
    Law,
    Operands,
    Rng,
    arrays,
    broken,
    carries,
    direction_like,
    flat,
    gives_floats,
    lifted,
    require_equal,
    some,
    types,
    values,
)
from minigrad.testing.derivative_laws import (
    active,
    differentiable,
    forward_exists,
    forward_is_difference,
    kinks,
    pullback_of,
    refusal,
    reverse_is_adjoint,
    second_order,
    zero_annihilates,
)
from minigrad.testing.rounding import moved_by_rounding
from minigrad.text import parse, to_text


# ── what an op says of itself ────────────────────────────────────────────────────────────────────
def type_is_value(op: Op, operands: Operands, rng: Rng) -> None:
    """`out_type` says exactly the shape and dtype that running gives; staged, the graph checks and runs the same."""
    xs = operands(rng)
    ys = arrays(flat(op)(*values(xs)))
    coerced = [x.type for x in op.coerce(values(xs))]
    said = op.out_type(*coerced)
    said = list(said) if op.many else [said]
    if [str(t) for t in said] != [str(t) for t in types(ys)]:
        raise broken(op, xs, f"out_type says {' '.join(map(str, said))}, it gives {' '.join(map(str, types(ys)))}")
    graph, _ = trace(flat(op), types(xs))
    check(graph)
    if not graph.effect:
        require_equal(op, xs, "staged", ys, arrays(run(graph, values(xs))))


def narrow_stays_narrow(op: Op, operands: Operands, rng: Rng) -> None:
    """Nothing computed from 32-bit floats is a 64-bit float, in the values and in both derivatives."""
    wide = {np.dtype(np.float64): np.float32, np.dtype(np.complex128): np.complex64}
    xs = [x.astype(wide[x.dtype]) if x.dtype in wide else x for x in operands(rng)]
    if isinstance(op, Convert) or not any(carries(x) for x in xs) or not takes(op, xs):
        return
    found = flat(op)(*values(xs))
    if differentiable(op):
        bars = lifted(direction_like(found, rng))
        found = found + pullback_of(op, xs, rng)[0](*values(xs), *[b for b in bars if b is not None])
        if forward_exists(op, xs, rng):
            dots = jvp(flat(op), values(xs), lifted(some(direction_like(xs, rng), active(op, xs))))[1]
            found = found + [d for d in dots if d is not None]
    for y in found:
        if y.dtype in wide:
            raise broken(op, xs, f"{y.type} came out of 32-bit operands")


def takes(op: Op, xs: Sequence[ndarray]) -> bool:
    """Does the op take operands of these types? What holds graphs or Python code takes only what it was made for."""
    if any(subgraphs(op)) or op.effect:
        return False
    try:
        op.out_type(*[x.type for x in op.coerce(values(xs))])
    except MinigradError:
        return False
    return True


def inputs_unmodified(op: Op, operands: Operands, rng: Rng) -> None:
    """Running, differentiating and batching leave every operand as it was, bit for bit."""
    xs = operands(rng)
    before = [x.tobytes() for x in xs]
    flat(op)(*values(xs))
    if differentiable(op):
        pull, both, _ = pullback_of(op, xs, rng)
        pull(*values(xs), *values(both[len(xs) :]))
        forward_exists(op, xs, rng)
    stacked = [np.stack([x, x]) for x in xs]
    copies = [x.tobytes() for x in stacked]
    batched(flat(op), values(stacked), [True] * len(xs), 2)
    for k, (x, was) in enumerate(zip([*xs, *stacked], before + copies)):
        if x.tobytes() != was:
            raise broken(op, xs, f"operand {k % len(xs)} was modified")


LAYOUTS = ("as is", "strided", "negative", "transposed", "read-only")


def laid_out(x: ndarray, layout: str) -> ndarray:
    """The same numbers, lying differently in memory."""
    if layout == "strided" and x.ndim:
        wide = np.repeat(x, 2, axis=-1)
        return wide[..., ::2]
    if layout == "negative" and x.ndim:
        whole = (slice(None, None, -1),) * x.ndim
        return np.ascontiguousarray(x[whole])[whole]
    if layout == "transposed":
        return np.array(x, order="F")
    if layout == "read-only":
        y = x.copy()
        y.flags.writeable = False
        return y
    return x


def layout_is_invisible(op: Op, operands: Operands, rng: Rng) -> None:
    """Strided, reversed, transposed and read-only operands give the same results."""
    xs = operands(rng)
    ys = arrays(flat(op)(*values(xs)))
    for layout in LAYOUTS[1:]:
        moved = [laid_out(x, layout) for x in xs]
        require_equal(op, xs, f"{layout} operands", ys, arrays(flat(op)(*values(moved))))


# ── compiled ─────────────────────────────────────────────────────────────────────────────────────
def compiled_is_eager(op: Op, operands: Operands, rng: Rng) -> None:
    """Every backend, with and without the passes, gives what eager evaluation gives; so it does for the gradient."""
    xs = operands(rng)
    require_compiled(op, flat(op), xs, "op")
    if differentiable(op) and gives_floats(op, xs) and any(active(op, xs)):
        pull, both, _ = pullback_of(op, xs, rng)
        require_compiled(op, pull, both, "gradient")


def text_is_graph(op: Op, operands: Operands, rng: Rng) -> None:
    """The text of a graph reads back as an equal graph; of the op's own graph, and of its gradient's."""
    xs = operands(rng)
    graphs = [trace(flat(op), types(xs))[0]]
    if differentiable(op) and gives_floats(op, xs) and any(active(op, xs)):
        pull, both, _ = pullback_of(op, xs, rng)
        graphs.append(trace(pull, types(both))[0])
    for graph in graphs:
        if not any(callable(v) for n in graph.nodes for v in n.op.parameters().values()):  # Python has no text
            text = to_text(graph)
            if parse(text) != graph:
                raise broken(op, xs, f"its text reads back as another graph:\n{text}")


def require_compiled(op: Op, f: Flat, xs: Sequence[ndarray], what: str) -> None:
    eager = arrays(f(*values(xs)))
    graph, captured = trace(f, types(xs))
    if captured:
        raise broken(op, xs, f"{what}: the graph captured {len(captured)} values")
    for name, optimize in itertools.product(backends.available(), (True, False)):
        given = [x.copy() for x in xs]
        found = backends.compile(graph, name, optimize=optimize)(given)
        passed = "after the passes" if optimize else "as written"
        require_equal(op, xs, f"{what} compiled by {name} {passed}", eager, found, lambda: moved_by_rounding(f, [xs]))
        require_equal(op, xs, f"{what} compiled by {name}: operands afterwards", xs, given)
        for y in found:
            if any(np.shares_memory(y, x) for x in given):
                raise broken(op, xs, f"{what} compiled by {name} {passed}: a result shares memory with an operand")


LAWS: dict[str, Law] = {
    "type": type_is_value,
    "narrow": narrow_stays_narrow,
    "unmodified": inputs_unmodified,
    "layout": layout_is_invisible,
    "forward": forward_is_difference,
    "adjoint": reverse_is_adjoint,
    "second": second_order,
    "kink": kinks,
    "annihilate": zero_annihilates,
    "refusal": refusal,
    "batch": batch_is_loop,
    "nested": nested_batch_is_loop,
    "batchgrad": batch_of_gradient,
    "compiled": compiled_is_eager,
    "text": text_is_graph,
}
DERIVATIVE_LAWS = ("forward", "adjoint", "second", "kink", "annihilate")


def concerns(law: str, op: Op) -> bool:
    """Has this law anything to say of this op?"""
    match law:
        case "forward" | "adjoint" | "second" | "batchgrad":
            return differentiable(op)
        case "refusal":
            return not differentiable(op)
        case "kink" | "annihilate":
            return differentiable(op) and isinstance(op, Row)
    return True
