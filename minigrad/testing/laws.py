"""The laws every primitive keeps: functions `law(op, operands, rng)` that return, or raise `CheckFailedError`.

Floor 7. `operands(rng)` draws fresh operands (ndarrays) of one shape each, as often as a law wants them. Nothing
here knows any op: what is compared is always two ways to the same numbers, or numbers with differences of the
op's own values. Tolerances come from rounding and from the differences' own error, never from an array's size.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from minigrad import backends
from minigrad.errors import CheckFailedError, MinigradError, NotDifferentiableError
from minigrad.graph import check, run, subgraphs
from minigrad.interpreters.batch import batched
from minigrad.interpreters.build import trace
from minigrad.interpreters.forward import jvp
from minigrad.interpreters.reverse import vjp
from minigrad.op import Array, Op, Value, ndarray
from minigrad.ops.kinds import zeros
from minigrad.ops.rows import Convert, Row, mul_no_nan
from minigrad.ops.table import KINKS
from minigrad.testing.finite_differences import Estimate, directional, directions
from minigrad.text import parse, to_text
from minigrad.types import TensorType, is_differentiable, real_of

Rng: TypeAlias = np.random.Generator
Operands: TypeAlias = "Callable[[Rng], list[ndarray]]"
Law: TypeAlias = "Callable[[Op, Operands, Rng], None]"
Flat: TypeAlias = "Callable[..., list[Any]]"

LANES = 3
# A derivative against a difference: what the difference says of its own error, ten times over, and this much of
# the value. Rules of special functions are the least exact: their series stop at about 1e-9.
SAFETY, RELATIVE, ABSOLUTE = 10.0, 1e-7, 1e-9
# Two ways to the same numbers may round differently: this many ulps of the largest magnitude that took part.
ULPS = 4096.0


# ── what laws are made of ────────────────────────────────────────────────────────────────────────
def flat(op: Op) -> Flat:
    """The op as a function from values to a list of values."""
    return lambda *xs: list(op(*xs)) if op.many else [op(*xs)]


def values(xs: Sequence[Any]) -> list[Value]:
    return [Array(x) for x in xs]


def arrays(ys: Sequence[Any]) -> list[ndarray]:
    return [y.concrete("law") for y in ys]


def types(xs: Sequence[ndarray]) -> list[TensorType]:
    return [TensorType(x.shape, x.dtype) for x in xs]


def carries(x: Any) -> bool:
    """Can this operand or result have a derivative?"""
    return is_differentiable(x.dtype)


def broken(op: Op, xs: Sequence[ndarray], what: str) -> CheckFailedError:
    return CheckFailedError(f"{op} on {', '.join(map(str, types(xs)))}: {what}")


def require_equal(
    op: Op, xs: Sequence[ndarray], what: str, expected: Sequence[ndarray], found: Sequence[ndarray]
) -> None:
    """The same arrays: types exactly, numbers to rounding, nan with nan."""
    if len(expected) != len(found):
        raise broken(op, xs, f"{what}: {len(found)} results instead of {len(expected)}")
    for k, (a, b) in enumerate(zip(expected, found)):
        if a.shape != b.shape or a.dtype != b.dtype:
            shown = [str(t) for t in types([a, b])]
            raise broken(op, xs, f"{what}: result {k} is {shown[1]} instead of {shown[0]}")
        if not carries(a):
            same = a == b
        else:
            with np.errstate(all="ignore"):
                finite = np.abs(a)[np.isfinite(a)]
                scale = np.max(finite, initial=0.0)
                near = np.abs(a - b) <= ULPS * np.finfo(real_of(a.dtype)).eps * scale
                same = near | (a == b) | (np.isnan(a) & np.isnan(b))
        if not np.all(same):
            at = tuple(int(i) for i in np.argwhere(~np.asarray(same))[0])
            raise broken(op, xs, f"{what}: result {k} at {at} is {b[at]} instead of {a[at]}")


def require_near(op: Op, xs: Sequence[ndarray], what: str, truth: Sequence[Estimate], found: Sequence[Any]) -> None:
    """A derivative is what the differences say, wherever they settled; and they must settle nearly everywhere."""
    for k, (e, y) in enumerate(zip(truth, found)):
        got = np.zeros(e.value.shape) if y is None else y.concrete("law")
        if got.shape != e.value.shape:
            raise broken(op, xs, f"{what}: result {k} has shape {got.shape} instead of {e.value.shape}")
        settled = e.settled()
        if e.value.size and np.mean(settled) < 0.5:
            raise broken(op, xs, f"{what}: the differences of result {k} do not settle; choose a better domain")
        with np.errstate(all="ignore"):
            off = np.abs(got - e.value)
            relative = RELATIVE + 32 * precision([got, *xs])
            allowed = SAFETY * e.error + relative * (np.abs(got) + np.abs(e.value)) + ABSOLUTE
        wrong = settled & ~(off <= allowed)
        if np.any(wrong):
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            says = f"{got[at]} where differences give {e.value[at]} ± {e.error[at]:.1g}"
            raise broken(op, xs, f"{what}: result {k} at {at} is {says}")


def precision(xs: Sequence[Any]) -> float:
    """The unit of rounding of the coarsest float dtype among these."""
    return max([float(np.finfo(real_of(x.dtype)).eps) for x in xs if carries(x)], default=0.0)


def inner(pairs: Sequence[tuple[Any, Any]]) -> tuple[float, float]:
    """Re Σ a·b (no conjugate: the convention of `interpreters.reverse`), and the magnitude that went into it."""
    total = size = 0.0
    for a, b in pairs:
        if a is not None and b is not None:
            a, b = (v.concrete("law") if isinstance(v, Value) else v for v in (a, b))
            product = np.real(a * b)
            total, size = total + float(np.sum(product)), size + float(np.sum(np.abs(a) * np.abs(b)))
    return total, size


def direction_like(xs: Sequence[Any], rng: Rng) -> list[Any]:
    """A random tangent or cotangent for each, None for those that carry none."""
    return [directions(tuple(x.shape), x.dtype, rng) if carries(x) else None for x in xs]


def lifted(dots: Sequence[Any]) -> list[Any]:
    return [None if d is None else Array(d) for d in dots]


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


# ── derivatives ──────────────────────────────────────────────────────────────────────────────────
def differentiable(op: Op) -> bool:
    return op.no_gradient is None


def active(op: Op, xs: Sequence[ndarray]) -> list[bool]:
    """The operands the op can be differentiated by: floats, minus those for which its rule refuses."""

    def welcomes(i: int) -> bool:
        def part(x: Any) -> list[Any]:
            return flat(op)(*[x if k == i else Array(other) for k, other in enumerate(xs)])

        try:
            ys, pull = vjp(part, values([xs[i]]))
            pull([Array(np.ones(y.shape, y.dtype)) if carries(y) else None for y in ys])
        except NotDifferentiableError:
            return False
        return True

    return [carries(x) and welcomes(i) for i, x in enumerate(xs)]


def forward_exists(op: Op, xs: Sequence[ndarray], rng: Rng) -> bool:
    """Some ops have a rule for reverse mode only, and say so when asked."""
    try:
        jvp(flat(op), values(xs), lifted(some(direction_like(xs, rng), active(op, xs))))
    except NotDifferentiableError:
        return False
    return True


def subsets(chosen: Sequence[bool]) -> list[list[bool]]:
    """All chosen operands at once, then each alone: which ones a rule is asked about."""
    alone = [[i == k for i in range(len(chosen))] for k, c in enumerate(chosen) if c]
    return [list(chosen), *(alone if sum(chosen) > 1 else [])] if any(chosen) else []


def some(xs: Sequence[Any], chosen: Sequence[bool]) -> list[Any]:
    return [x if c else None for x, c in zip(xs, chosen)]


def numbers(f: Flat) -> Callable[[list[ndarray]], list[ndarray]]:
    """f on ndarrays, its results that carry derivatives only."""
    return lambda xs: [y for y in arrays(f(*values(xs))) if carries(y)]


def forward_is_difference(op: Op, operands: Operands, rng: Rng) -> None:
    """Forward mode is the difference quotient's limit, for all operands at once and for each alone."""
    xs = operands(rng)
    if differentiable(op) and forward_exists(op, xs, rng):
        require_forward(op, xs, flat(op), active(op, xs), "forward", rng)


def require_forward(op: Op, xs: Sequence[ndarray], f: Flat, by: Sequence[bool], what: str, rng: Rng) -> None:
    for chosen in subsets(by):
        dots = some(direction_like(xs, rng), chosen)
        ys, y_dots = jvp(f, values(xs), lifted(dots))
        y_dots = [d for y, d in zip(ys, y_dots) if carries(y)]
        require_near(op, xs, what, directional(numbers(f), xs, dots), y_dots)


def reverse_is_adjoint(op: Op, operands: Operands, rng: Rng) -> None:
    """⟨ȳ, Jẋ⟩ = ⟨Jᵀȳ, ẋ⟩; J by forward mode, or by differences where there is no rule for it."""
    xs = operands(rng)
    if differentiable(op):
        by = active(op, xs)
        if any(map(carries, xs)) and any(carries(y) for y in flat(op)(*values(xs))) and not any(by):
            raise broken(op, xs, "differentiable in no operand, but it gives no reason (no_gradient)")
        require_adjoint(op, xs, flat(op), by, "adjoint", rng, forward_exists(op, xs, rng))


def require_adjoint(
    op: Op, xs: Sequence[ndarray], f: Flat, by: Sequence[bool], what: str, rng: Rng, forward: bool = True
) -> None:
    for chosen in subsets(by):
        held = values(xs)
        positions = [i for i, c in enumerate(chosen) if c]

        def part(*zs: Any, held: list[Any] = held, positions: list[int] = positions) -> list[Any]:
            full = list(held)
            for i, z in zip(positions, zs):
                full[i] = z
            return f(*full)

        zs = [xs[i] for i in positions]
        dots = direction_like(zs, rng)
        ys, pull = vjp(part, values(zs))
        bars = direction_like(ys, rng)
        x_bars = pull(lifted(bars))
        for z, z_bar in zip(zs, x_bars):
            if z_bar is not None and (z_bar.shape, z_bar.dtype) != (z.shape, z.dtype):
                raise broken(op, xs, f"{what}: the cotangent of {types([z])[0]} is {z_bar.type}")
        if forward:
            y_dots, slack = jvp(part, values(zs), lifted(dots))[1], 0.0
        else:
            estimates = iter(directional(numbers(part), zs, dots))
            found = [next(estimates) if carries(y) else None for y in ys]
            y_dots = [None if e is None else e.value for e in found]
            slack = SAFETY * sum(float(np.sum(e.error * np.abs(b))) for e, b in zip(found, bars) if e is not None)
        left, left_size = inner(list(zip(bars, y_dots)))
        right, right_size = inner(list(zip(x_bars, dots)))
        allowed = slack + ULPS * precision([*zs, *ys]) * (left_size + right_size)
        if not abs(left - right) <= allowed:
            raise broken(op, xs, f"{what}: ⟨ȳ, Jẋ⟩ = {left} but ⟨Jᵀȳ, ẋ⟩ = {right} (allowed {allowed:.1g})")


def pullback_of(op: Op, xs: Sequence[ndarray], rng: Rng) -> tuple[Flat, list[ndarray], list[bool]]:
    """((xs, ȳ) ↦ x̄ as a function, its operands, by which to differentiate it): what second derivatives are of."""
    n, by = len(xs), active(op, xs)
    ys = flat(op)(*values(xs))
    bars = [b for b in direction_like(ys, rng) if b is not None]

    def pull(*both: Any) -> list[Any]:
        def part(*moving: Any) -> list[Any]:
            given = iter(moving)
            return flat(op)(*[next(given) if a else x for a, x in zip(by, both)])

        given = iter(both[n:])
        moving = [x for a, x in zip(by, both) if a]
        ys, back = vjp(part, moving)
        x_bars = back([next(given) if carries(y) else None for y in ys])
        return [zeros(x.type) if b is None else b for x, b in zip(moving, x_bars)]

    return pull, [*xs, *bars], [*by, *[True] * len(bars)]


def second_order(op: Op, operands: Operands, rng: Rng) -> None:
    """Forward over reverse is the difference of the reverse; reverse over reverse its adjoint; forward twice too."""
    xs = operands(rng)
    if not differentiable(op) or not any(carries(y) for y in flat(op)(*values(xs))):
        return
    pull, both, by = pullback_of(op, xs, rng)
    if forward_exists(op, xs, rng):
        require_forward(op, both, pull, by, "forward over reverse", rng)
        require_adjoint(op, both, pull, by, "reverse over reverse", rng)
        dots = lifted(some(direction_like(xs, rng), by))

        def push(*zs: Any) -> list[Any]:
            ys, y_dots = jvp(flat(op), zs, dots)
            return [zeros(y.type) if d is None else d for y, d in zip(ys, y_dots) if carries(y)]

        require_forward(op, xs, push, by[: len(xs)], "forward over forward", rng)
    else:
        require_adjoint(op, both, pull, by, "reverse over reverse", rng, forward=False)


def kinks(op: Op, operands: Operands, rng: Rng) -> None:
    """At every kink the table names, both modes give the partials it states; a zero (co)tangent gives zero."""
    for kink in KINKS:
        if kink.op != op.label or not isinstance(op, Row):
            continue
        xs = [np.asarray(at, np.float64) for at in kink.at]
        for i, partial in enumerate(kink.partials):
            for given, expected in ((1.0, partial), (0.0, 0.0)):
                if given == 0.0 and np.isnan(partial):
                    continue
                dots = [Array(np.asarray(given)) if k == i else None for k in range(len(xs))]
                (y_dot,) = jvp(flat(op), values(xs), dots)[1]
                x_bar = vjp(flat(op), values(xs))[1]([Array(np.asarray(given))])[i]
                for name, got in (("forward", y_dot), ("reverse", x_bar)):
                    number = 0.0 if got is None else float(got.concrete("law"))
                    if not (number == expected or (np.isnan(number) and np.isnan(expected))):
                        what = f"{name}: at {kink.at} partial {i} times {given} is {number} instead of {expected}"
                        raise broken(op, xs, what)


# Where partials of elementwise functions like to be infinite, or not numbers.
SPECIAL = (0.0, -0.0, 1.0, -1.0, 0.5, 2.0, -2.0, 1e4, -1e4)


def zero_annihilates(op: Op, operands: Operands, rng: Rng) -> None:
    """At finite operands a zero (co)tangent of an elementwise op gives zero, whatever the partial: no 0 · inf.

    To second order too: the derivative of a zero cotangent's pull is zero in every direction of the operands.
    """
    if not isinstance(op, Row) or not differentiable(op) or "f" not in op.takes:
        return
    points = np.asarray((*SPECIAL, np.inf) if op is mul_no_nan else SPECIAL)  # which is there for infinite partials
    xs = [x.ravel().copy() for x in np.meshgrid(*[points] * op.operands)]
    y = flat(op)(*values(xs))[0]
    zero, one = Array(np.zeros(y.shape)), Array(np.ones(y.shape))
    alone = [[zero if k == i else None for k in range(op.operands)] for i in range(op.operands)]

    def pull(*zs: Any) -> list[Any]:
        return [zero if b is None else b for b in vjp(flat(op), zs)[1]([zero])]

    found = [("tangent", [jvp(flat(op), values(xs), dots)[1][0] for dots in alone]), ("cotangent", pull(*values(xs)))]
    found += [
        ("cotangent, differentiated,", jvp(pull, values(xs), [None if d is None else one for d in dots])[1])
        for dots in alone
    ]
    for name, results in found:
        for i, got in enumerate(results):
            bad = np.zeros(1, bool) if got is None else got.concrete("law") != 0
            if np.any(bad):
                at = int(np.argmax(bad))
                point = ", ".join(f"{x[at]:g}" for x in xs)
                raise broken(op, xs, f"at ({point}) a zero {name} of operand {i} gives {got.concrete('law')[at]}")


def refusal(op: Op, operands: Operands, rng: Rng) -> None:
    """An op without a derivative refuses with its reason, or lets none through; integers carry none."""
    xs = operands(rng)
    why = op.no_gradient
    if why is None:
        return
    dots = lifted(direction_like(xs, rng))
    if all(d is None for d in dots):
        return

    def forward() -> list[Any]:
        return jvp(flat(op), values(xs), dots)[1]

    def reverse() -> list[Any]:
        ys, pull = vjp(flat(op), values(xs))
        return pull(lifted(direction_like(ys, rng)))

    for name, derive in (("forward", forward), ("reverse", reverse)):
        try:
            found = derive()
        except NotDifferentiableError as error:
            if not why.refuse or why.reason not in str(error):
                raise broken(op, xs, f"{name}: refused with {str(error)!r}, its reason is {why.reason!r}") from None
            continue
        if why.refuse:
            raise broken(op, xs, f"{name}: should refuse ({why.reason})")
        if any(d is not None for d in found):
            raise broken(op, xs, f"{name}: carries a derivative, though {why.reason}")


# ── batching ─────────────────────────────────────────────────────────────────────────────────────
def mixes(n: int, rng: Rng) -> list[list[bool]]:
    """Which operands are mapped: every mix of up to three operands, else all, each alone and two at random."""
    if n <= 3:
        return [list(m) for m in itertools.product([True, False], repeat=n) if any(m)]
    alone = [[i == k for i in range(n)] for k in range(n)]
    return [
        [True] * n,
        *alone,
        *[list(rng.permutation([True, False] + [bool(b) for b in rng.integers(0, 2, n - 2)])) for _ in range(2)],
    ]


def stacked_loop(f: Flat, lanes: Sequence[Sequence[ndarray]]) -> list[ndarray]:
    return [np.stack(column) for column in zip(*[arrays(f(*values(lane))) for lane in lanes])]


def mapped_operands(operands: Operands, mapped: Sequence[bool], rng: Rng) -> tuple[list[list[ndarray]], list[ndarray]]:
    """(the operands lane by lane, the same stacked where mapped)."""
    draws = [operands(rng) for _ in range(LANES)]
    lanes = [[d[i] if m else draws[0][i] for i, m in enumerate(mapped)] for d in draws]
    whole = [np.stack([lane[i] for lane in lanes]) if m else lanes[0][i] for i, m in enumerate(mapped)]
    return lanes, whole


def batch_is_loop(op: Op, operands: Operands, rng: Rng) -> None:
    """vmap gives what a loop over the lanes gives, whichever operands are mapped."""
    for mapped in mixes(len(operands(rng)), rng):
        lanes, whole = mapped_operands(operands, mapped, rng)
        found = batched(flat(op), values(whole), mapped, LANES)
        require_equal(op, lanes[0], f"batch {shown(mapped)}", stacked_loop(flat(op), lanes), arrays(found))


def shown(mapped: Sequence[bool]) -> str:
    return "(" + ", ".join("mapped" if m else "same" for m in mapped) + ")"


def nested_batch_is_loop(op: Op, operands: Operands, rng: Rng) -> None:
    """vmap in vmap is two loops; the outer and the inner may map different operands."""
    n = len(operands(rng))
    for outer, inner_ in itertools.product(mixes(n, rng)[:2], mixes(n, rng)[-2:]):
        rows = [mapped_operands(operands, inner_, rng) for _ in range(2)]
        first = rows[0]
        # an operand the outer vmap does not map is the first row's in both
        lanes = [
            [[(lane if o else base)[i] for i, o in enumerate(outer)] for lane, base in zip(r[0], first[0])]
            for r in rows
        ]
        whole = [np.stack([r[1][i] for r in rows]) if o else first[1][i] for i, o in enumerate(outer)]

        def inside(*xs: Any, mapped: list[bool] = inner_) -> list[Any]:
            return batched(flat(op), xs, mapped, LANES)

        found = arrays(batched(inside, values(whole), outer, 2))
        loops = [stacked_loop(flat(op), lane) for lane in lanes]
        expected = [np.stack(column) for column in zip(*loops)]
        require_equal(op, lanes[0][0], f"batch {shown(outer)} of batch {shown(inner_)}", expected, found)


def batch_of_gradient(op: Op, operands: Operands, rng: Rng) -> None:
    """vmap of a gradient is a loop of gradients."""
    xs = operands(rng)
    if not differentiable(op) or not any(carries(y) for y in flat(op)(*values(xs))) or not any(map(carries, xs)):
        return
    pull, both, _ = pullback_of(op, xs, rng)
    bars = both[len(xs) :]
    for mapped in mixes(len(xs), rng):
        lanes, whole = mapped_operands(operands, mapped, rng)
        lanes = [[*lane, *bars] for lane in lanes]
        found = batched(pull, values([*whole, *bars]), [*mapped, *[False] * len(bars)], LANES)
        require_equal(op, xs, f"batch {shown(mapped)} of gradient", stacked_loop(pull, lanes), arrays(found))


# ── compiled ─────────────────────────────────────────────────────────────────────────────────────
def compiled_is_eager(op: Op, operands: Operands, rng: Rng) -> None:
    """Every backend, with and without the passes, gives what eager evaluation gives; so it does for the gradient."""
    xs = operands(rng)
    require_compiled(op, flat(op), xs, "op")
    if differentiable(op) and any(carries(y) for y in flat(op)(*values(xs))) and any(active(op, xs)):
        pull, both, _ = pullback_of(op, xs, rng)
        require_compiled(op, pull, both, "gradient")


def text_is_graph(op: Op, operands: Operands, rng: Rng) -> None:
    """The text of a graph reads back as an equal graph; of the op's own graph, and of its gradient's."""
    xs = operands(rng)
    graphs = [trace(flat(op), types(xs))[0]]
    if differentiable(op) and any(carries(y) for y in flat(op)(*values(xs))) and any(active(op, xs)):
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
        require_equal(op, xs, f"{what} compiled by {name} {passed}", eager, found)
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
