"""The equations of scans: work moved out of the loop, before it or after it.

Floor 4. Each rule changes a scan taken apart. What is moved is computed for all steps at once by the batching rules of
its ops. [t] marks a stack: one entry for each step.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from minigrad.graph import Atom, Const, Node, Var, repeated_element
from minigrad.op import Op
from minigrad.ops import elementwise as e
from minigrad.ops.contract import DotGeneral
from minigrad.ops.movement import Expand, Flip, Permute, Reshape, Sum
from minigrad.ops.pieces import Slice
from minigrad.ops.rows import Elementwise
from minigrad.passes.scan.apart import Apart, Carry
from minigrad.types import TensorType

MOVES = (Expand, Flip, Permute, Reshape, Slice)
_BATCHED = (Elementwise, DotGeneral, Sum, *MOVES)
_THIN = 1 << 22  # floating point operations: a contraction of that many keeps BLAS busy by itself (40 µs on one core)
_STACK = 1 << 26  # bytes a new stack may take: a loop may be there to save memory


def unchanged_carry(loop: Apart) -> None:
    """carry -> carry: it is a constant."""
    for c in [c for c in loop.carries if c.next is c.inside]:
        loop.used["scan: c' = c -> c constant"] += 1
        loop.carries.remove(c)
        loop.consts[c.inside] = c.start
        loop.sweep.replace(c.end, c.start)


def equal_slices(loop: Apart) -> None:
    """x[t] = expand(v) -> v is a constant."""
    for inner, outer in list(loop.xs.items()):
        value = _slice_of_all(loop, outer)
        if value is not None:
            loop.used["scan: x[t] = v -> v constant"] += 1
            shape = inner.type.shape
            del loop.xs[inner]
            loop.substitute({inner: value if value.type.shape == shape else loop.emit(Expand(shape), value)})


def _slice_of_all(loop: Apart, outer: Atom) -> Atom | None:
    if isinstance(outer, Const):
        same = repeated_element(outer.array)
        return None if same is None else Const(same.reshape(()))
    made = loop.sweep.maker(outer, Expand)
    if made is None:
        return None
    (a,) = made.ins
    if a.type.ndim < outer.type.ndim:
        return loop.inner(a, loop.consts)
    if a.type.shape[0] != 1:
        return None
    return loop.emit(Reshape(a.type.shape[1:]), loop.inner(a, loop.consts))


def stacks_of_one(loop: Apart) -> None:
    """y[t] = v for a constant v -> expand(v); y[t] = x[t] -> x; of two equal stacks one is kept."""
    kept: dict[Atom, Var] = {}
    varying, effects = loop.varying(), loop.depending(v for n in loop.nodes if n.op.effect for v in n.outs)
    for outer, inner in list(loop.ys.items()):
        if inner not in varying and inner not in effects:
            graph = loop.part([inner], ())
            (value,) = loop.sweep.graft(graph, [loop.consts[v] for v in graph.inputs], loop.line)
            stack: Atom = loop.sweep.emit(Expand(outer.type.shape), value)
        elif inner in loop.xs:
            stack = loop.xs[inner]
        elif inner in kept:
            stack = kept[inner]
        else:
            kept[inner] = outer
            continue
        loop.used["scan: y[t] = x[t], z[t] = x[t] -> y = z = x"] += 1
        del loop.ys[outer]
        loop.sweep.replace(outer, stack)


def hoisted(loop: Apart) -> None:
    """f(constants) is computed before the loop. Movements stay: in the body they cost nothing."""
    varying, makers = loop.varying(), loop.makers()
    wanted = [a for n in loop.nodes if not varying.isdisjoint(n.outs) or n.op.effect for a in n.ins]
    wanted += [*(c.next for c in loop.carries), *loop.ys.values()]
    values: dict[Atom, None] = {}
    while wanted:
        a = wanted.pop()
        n = makers.get(a)
        if n is None or a in varying or n.op.effect:
            continue
        if isinstance(n.op, MOVES):
            wanted += n.ins
        else:
            values[a] = None
    if values:
        loop.used["scan: f(constant) before the loop"] += len(values)
        graph = loop.part(list(values), ())
        outers = loop.sweep.graft(graph, [loop.consts[v] for v in graph.inputs], loop.line)
        loop.nodes = [n for n in loop.nodes if values.keys().isdisjoint(n.outs)]
        loop.consts.update(zip(values, outers, strict=True))  # type: ignore[arg-type]


def contracted_before(loop: Apart) -> None:
    """dot(x[t], w) for each t -> dot(x, w), sliced. Also of f(x[t]), where f is elementwise or moves."""
    sliced = loop.depending(loop.xs)
    ready: set[Atom] = {*loop.xs, *loop.consts}  # what can be computed before the loop
    dots: dict[Var, None] = {}
    for n in (*loop.first, *loop.nodes):
        if not isinstance(n.op, _BATCHED) or not ready.issuperset(_vars(n)):
            continue
        if isinstance(n.op, DotGeneral) and not sliced.isdisjoint(n.ins):
            if sliced.issuperset(n.ins) or not _is_thin(n) or not _fits(loop, n.out.type):
                continue
            dots[n.out] = None
        ready.update(n.outs)
    if dots:
        loop.used["scan: dot(x[t], w) -> dot(x, w)[t]"] += len(dots)
        stacks = loop.lifted(list(dots), dict[Atom, Atom](loop.xs.items()))
        loop.nodes = [n for n in loop.nodes if n.op.many or n.out not in dots]
        loop.xs.update(zip(dots, stacks, strict=True))


def contracted_after(loop: Apart) -> None:
    """y[t] = dot(g[t], w) -> y = dot(g, w) for an output that no step reads. g is stacked in place of y."""
    uses, makers, varying = loop.uses(), loop.makers(), loop.varying()
    for outer, inner in list(loop.ys.items()):
        n = _behind_moves(inner, uses, makers)
        changing = [a for a in n.ins if a in varying] if n is not None else []
        if n is None or not isinstance(n.op, DotGeneral) or len(changing) != 1 or not _is_thin(n):
            continue
        base = _before_moves(changing[0], makers)
        if loop.stack_there(base) is None and not (base.type.size <= 2 * inner.type.size and _fits(loop, base.type)):
            continue
        loop.used["scan: y[t] = dot(g[t], w) -> y = dot(g, w)"] += 1
        del loop.ys[outer]
        _after(loop, inner, base, outer)


def _after(loop: Apart, inner: Atom, base: Atom, outer: Var) -> None:
    stack = loop.stack(base)
    loop.after.append(lambda: loop.sweep.replace(outer, loop.lifted([inner], {base: stack})[0]))


def summed_after(loop: Apart) -> None:
    """c' = c + dot(a[t], b[t]) -> c + dot(a, b), contracted over t too; c' = c + sum(a[t]) -> c + sum(a).

    Where no step reads c. The terms are added up in another order.
    """
    uses, makers, varying = loop.uses(), loop.makers(), loop.varying()
    found = []
    for c in loop.carries:
        term = _added(c, uses, makers)
        n = _behind_moves(term, uses, makers) if term is not None else None
        if n is not None and isinstance(n.op, DotGeneral | Sum) and varying.issuperset(n.ins):
            found.append((isinstance(n.op, Sum), c, n))
    for is_sum, c, n in sorted(found, key=lambda f: f[0]):  # contractions first: a sum needs a stack that is there
        bases = [_before_moves(a, makers) for a in n.ins]
        new = [a for a in bases if loop.stack_there(a) is None]
        worth = not new if is_sum else _is_thin(n) and all(a.type.size <= 2 * n.out.type.size for a in new)
        if worth and all(_fits(loop, a.type) for a in new):
            loop.used["scan: c' = c + dot(a[t], b[t]) -> c + dot(a, b)"] += 1
            loop.carries.remove(c)
            _total(loop, c, n, [(a, base, loop.stack(base)) for a, base in zip(n.ins, bases, strict=True)], makers)


def _total(loop: Apart, c: Carry, n: Node, operands: list[tuple[Atom, Atom, Atom]], makers: dict[Atom, Node]) -> None:
    term = next(a for a in makers[c.next].ins if a is not c.inside)
    moves = []
    while term is not n.out:
        moves.append(makers[term].op)
        (term,) = makers[term].ins

    def write() -> None:
        emit = loop.sweep.emit
        stacks = [loop.lifted([a], {base: stack})[0] for a, base, stack in operands]
        total = emit(_over_steps(n.op), *stacks)
        for op in reversed(moves):
            total = emit(op, total)
        zero = loop.sweep.uniform(c.start) == 0  # at most the sign of a zero is lost
        loop.sweep.replace(c.end, total if zero else emit(e.add, c.start, total))

    loop.after.append(write)


def _over_steps(op: Op) -> Op:
    """The contraction or sum of stacks that also runs over their first axis, the steps."""
    if isinstance(op, DotGeneral):
        (left, right), (lane_left, lane_right) = op.contract, op.batch_axes
        return DotGeneral(((0, *_up(left)), (0, *_up(right))), (_up(lane_left), _up(lane_right)))
    assert isinstance(op, Sum)
    return Sum((0, *_up(op.axes)))


def _up(axes: Sequence[int]) -> tuple[int, ...]:
    return tuple([axis + 1 for axis in axes])


# ── words the rules are written in ───────────────────────────────────────────────────────────────
def _vars(n: Node) -> list[Atom]:
    return [a for a in n.ins if isinstance(a, Var)]


def _added(c: Carry, uses: Counter[Atom], makers: dict[Atom, Node]) -> Atom | None:
    """What each step adds to a carry, if that is all that is done with it."""
    n = makers.get(c.next)
    if n is None or n.op is not e.add or uses[c.next] != 1 or uses[c.inside] != 1:
        return None
    terms = [a for a in n.ins if a is not c.inside]
    return terms[0] if len(terms) == 1 and terms[0].type == c.inside.type else None


def _behind_moves(a: Atom, uses: Counter[Atom], makers: dict[Atom, Node]) -> Node | None:
    """The node whose result, turned or reshaped, this is, if nobody else reads it."""
    while a in makers and uses[a] == 1:
        n = makers[a]
        if not isinstance(n.op, Permute | Reshape):
            return n
        (a,) = n.ins
    return None


def _before_moves(a: Atom, makers: dict[Atom, Node]) -> Atom:
    """What a value was before it was moved."""
    while a in makers and isinstance(makers[a].op, MOVES):
        (a,) = makers[a].ins
    return a


def _is_thin(n: Node) -> bool:
    """A contraction too small to be done well once a step."""
    op, a = n.op, n.ins[0]
    assert isinstance(op, DotGeneral)
    length = math.prod(a.type.shape[d] for d in op.contract[0])
    return bool(2 * n.out.type.size * length <= _THIN)


def _fits(loop: Apart, t: TensorType) -> bool:
    return bool(loop.length * t.size * t.dtype.itemsize <= _STACK)
