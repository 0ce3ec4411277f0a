"""Are the laws sharp? Every derivative and batch rule is made wrong, one way at a time; some law must notice.

Floor 7. `python -m minigrad.testing.mutants` prints which law kills which mutant; `--write` puts the table into
docs/mutants.md. A mutant that means the same as the rule is listed in `EQUIVALENT`, with the reason.
"""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any

import numpy as np

from minigrad.op import Array, Op, Value, registry
from minigrad.ops.complex import conj
from minigrad.ops.movement import Flip, Permute
from minigrad.ops.rows import LinearRow, Row, convert, mul, neg
from minigrad.testing.inventory import MODULES, Case, op_samples
from minigrad.testing.laws import DERIVATIVE_LAWS, LAWS
from minigrad.types import BOOL, is_differentiable

Rule = Callable[..., Any]
Change = Callable[[Rule], Rule]
BATCH_LAWS = ("batch", "nested")
# Methods that are rules, or parts of one, by how their names begin.
DERIVATIVE_RULES = ("jvp", "vjp", "transpose", "pullback", "weights", "partial")
PAGE = Path(__file__).parents[2] / "docs" / "mutants.md"

# (op, rule, change) -> why the mutant is no mutant: it means the same.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    ("add", "partial 0", "one"): "it is 1",
    ("add", "partial 1", "one"): "it is 1",
    ("add", "partial 0", "exchanged"): "both are 1",
    ("add", "partial 1", "exchanged"): "both are 1",
    ("sub", "partial 0", "one"): "it is 1",
    ("rem", "partial 0", "one"): "it is 1",
    ("floor_div", "partial 0", "exchanged"): "both are 0",
    ("floor_div", "partial 1", "exchanged"): "both are 0",
    ("tan", "singular", "dropped"): "no float is a pole of tan",
    ("Windowing", "batch", "axis forgotten"): "it acts on trailing axes; leading ones are lanes already",
    ("MatrixOp", "batch", "axis forgotten"): "it acts on trailing axes; leading ones are lanes already",
    ("SizeOf", "batch", "lanes reversed"): "every lane has the same size",
}


@dataclass(frozen=True, eq=False)
class Mutant:
    """A rule of an op and what was done to it; `holder.attribute` is replaced by `wrong` while it is tried."""

    op: str
    rule: str
    change: str
    holder: Any
    attribute: str
    wrong: Any
    laws: tuple[str, ...]

    @property
    def name(self) -> tuple[str, str, str]:
        return self.op, self.rule, self.change

    def __str__(self) -> str:
        return f"{self.op}: {self.rule} {self.change}"


# ── ways to be wrong ─────────────────────────────────────────────────────────────────────────────
def scaled(v: Any, factor: int) -> Any:
    """factor · v for what rules return: numbers, values, bool tensors that select, None, lists of these."""
    if v is None or v is NotImplemented:
        return v
    if isinstance(v, (list, tuple)):
        return [scaled(part, factor) for part in v]
    if isinstance(v, (int, float)):
        return factor * v
    if v.dtype == BOOL:
        v = convert(v, np.dtype(np.float64))
    if not is_differentiable(v.dtype):
        return v
    return neg(v) if factor == -1 else mul(float(factor), v)


def nothing(v: Any) -> Any:
    """None for everything a rule returns."""
    return [None] * len(v) if isinstance(v, (list, tuple)) else None


def after(f: Callable[[Any], Any]) -> Change:
    """The rule, and then f on what it returns."""
    return lambda rule: lambda *args: f(rule(*args))


def pulled(f: Callable[[Any], Any]) -> Change:
    """As `after`, for a rule that returns (y, pull)."""

    def change(rule: Rule) -> Rule:
        def wrong(*args: Any) -> Any:
            y, pull = rule(*args)
            return y, lambda y_bars: f(list(pull(y_bars)))

        return wrong

    return change


SCALINGS: dict[str, Callable[[Any], Any]] = {
    "negated": lambda v: scaled(v, -1),
    "doubled": lambda v: scaled(v, 2),
    "dropped": nothing,
}


def mapped_at_one(rule: Rule) -> Rule:
    """A batch rule that takes the mapped axis to be axis 1."""

    def wrong(self: Op, xs: Any, mapped: Any, size: int) -> Any:
        turned = [Permute((1, 0, *range(2, x.ndim)))(x) if m and x.ndim > 1 else x for x, m in zip(xs, mapped)]
        return rule(self, turned, mapped, size)

    return wrong


def without_lanes(rule: Rule) -> Rule:
    return lambda self, xs, mapped, size: self(*xs)


def backward_lanes(rule: Rule) -> Rule:
    def wrong(self: Op, xs: Any, mapped: Any, size: int) -> Any:
        y = rule(self, xs, mapped, size)
        return [Flip((0,))(v) for v in y] if self.many else Flip((0,))(y)

    return wrong


BATCHINGS: dict[str, Change] = {
    "axis off by one": mapped_at_one,
    "axis forgotten": without_lanes,
    "lanes reversed": backward_lanes,
}


# ── all mutants ──────────────────────────────────────────────────────────────────────────────────
def mutants() -> list[Mutant]:
    """Every mutant of every rule: of each row's partials, and of each rule method of each class of ops."""
    rows = [m for op in registry.values() if isinstance(op, Row) for m in of_row(op)]
    return rows + [m for cls in classes() for m in of_class(cls)]


def of_row(op: Row) -> Iterator[Mutant]:
    """Wrong partials: each negated, doubled, 1, dropped, and exchanged with the next operand's."""
    if not isinstance(op.partials, tuple):
        return
    for i, partial in enumerate(op.partials):
        wrong: dict[str, Rule | None] = {"one": _identity if isinstance(op, LinearRow) else _one}
        if partial is not None:
            wrong |= {name: after(f)(partial) for name, f in SCALINGS.items()}
        if partial is not None and gives_complex(op, partial):
            wrong["conjugated"] = after(conj)(partial)
        if len(op.partials) > 1:
            wrong["exchanged"] = op.partials[(i + 1) % len(op.partials)]
        for name, rule in wrong.items():
            partials = tuple(rule if k == i else p for k, p in enumerate(op.partials))
            yield Mutant(op.name, f"partial {i}", name, op, "partials", partials, DERIVATIVE_LAWS)
    if op.singular:
        yield Mutant(op.name, "singular", "dropped", op, "singular", False, DERIVATIVE_LAWS)


def gives_complex(op: Row, partial: Rule) -> bool:
    """Is the partial complex at complex operands? (One that is real everywhere is its own conjugate.)"""
    if "c" not in op.takes or op.gives != "same" or isinstance(op, LinearRow):
        return False
    xs = [Array(np.asarray(0.5 + 0.25j * (i + 1))) for i in range(op.operands)]
    found = partial(op(*xs), *xs)
    return isinstance(found, Value) and bool(np.iscomplex(found.concrete("mutants")))


def _one(y: Any, *xs: Value) -> float:
    return 1


def _identity(y_bar: Any, *xs: Value) -> Any:
    return y_bar


def classes() -> list[type[Op]]:
    """Kinds and op classes of ops/ and control/ alike: whatever class states a rule."""
    names = {module.__name__ for module in MODULES}
    return [c for c in _below(Op) if c.__module__ in names]


def _below(cls: type[Op]) -> Iterator[type[Op]]:
    seen = set()
    for sub in cls.__subclasses__():
        for c in (sub, *_below(sub)):
            if c not in seen:
                seen.add(c)
                yield c


def of_class(cls: type[Op]) -> Iterator[Mutant]:
    """Wrong rule methods of one class, those it states itself."""
    for name, rule in list(vars(cls).items()):
        if not isinstance(rule, FunctionType) or "NotImplementedError" in rule.__code__.co_names:
            continue  # a rule that every op of the kind states itself
        if name.startswith(DERIVATIVE_RULES):
            changes = {k: (pulled if name == "pullback" else after)(f) for k, f in SCALINGS.items()}
            if name == "transpose":
                changes["identity"] = lambda rule: lambda self, y_bar, *xs: y_bar
            if name in ("transpose_left", "transpose_right"):
                changes["exchanged"] = _exchanged(cls, name)
            laws: tuple[str, ...] = DERIVATIVE_LAWS
        elif name == "batch" and cls.effect is not True:  # effects are not in the results the laws compare
            changes, laws = BATCHINGS, BATCH_LAWS
        else:
            continue
        for change, make in changes.items():
            yield Mutant(cls.__name__, name, change, cls, name, make(rule), laws)


def _exchanged(cls: type[Op], name: str) -> Change:
    other = {"transpose_left": "transpose_right", "transpose_right": "transpose_left"}[name]
    return lambda rule: getattr(cls, other)


# ── trying them ──────────────────────────────────────────────────────────────────────────────────
def forget() -> None:
    """Drop what the ops that hold graphs remember of derivatives already taken."""
    for module in MODULES:
        for value in vars(module).values():
            if hasattr(value, "cache_clear"):
                value.cache_clear()


@contextmanager
def alive(mutant: Mutant) -> Iterator[None]:
    """While the context lasts, the rule is wrong."""
    holder, attribute = mutant.holder, mutant.attribute
    right = vars(holder)[attribute]
    put = type.__setattr__ if isinstance(holder, type) else object.__setattr__
    forget()
    put(holder, attribute, mutant.wrong)
    try:
        yield
    finally:
        put(holder, attribute, right)
        forget()


def concerned(mutant: Mutant, every: list[Case]) -> list[Case]:
    """The cases of ops that use the rule: the row's own, or those of classes that inherit this very method."""
    if not isinstance(mutant.holder, type):
        return [case for case in every if case.op is mutant.holder]
    right = vars(mutant.holder)[mutant.attribute]
    return [case for case in every if getattr(type(case.op), mutant.attribute, None) is right]


def killer(mutant: Mutant, every: list[Case]) -> str | None:
    """The first law that notices the mutant, trying one case after the other; None if it survives them all."""
    rng = np.random.default_rng(zlib.crc32(str(mutant).encode()))
    # the last cases of an op are its richest: empty and scalar operands notice little
    tried = sorted(concerned(mutant, every), key=lambda case: -sum(map(np.prod, (d.shape for d in case.draws))))
    with alive(mutant):
        for case in tried:
            for law in mutant.laws:
                try:
                    LAWS[law](case.op, case.operands, rng)
                except Exception as error:  # a wrong rule may fail anywhere, in any way
                    return law if isinstance(error, AssertionError) else f"{law} ({type(error).__name__})"
    return None


def report() -> list[tuple[Mutant, str | None]]:
    every = list(op_samples())
    return [(mutant, killer(mutant, every)) for mutant in mutants() if mutant.name not in EQUIVALENT]


def page(results: list[tuple[Mutant, str | None]]) -> str:
    """The kill table: one line per rule, one cell per change; sorted, for modules are not imported in one order."""
    killed = sum(law is not None for _, law in results)
    lines = [
        "# Mutants of the rules",
        "",
        "Written by `python -m minigrad.testing.mutants --write`. Each rule was made wrong in each of these ways; "
        "the law that noticed first is named. The laws are the functions of `minigrad/testing/laws.py`.",
        "",
        f"{killed} of {len(results)} mutants killed; {len(EQUIVALENT)} more mean the same as the rule (below).",
        "",
        "| op or kind | rule | wrong in this way: noticed by |",
        "|---|---|---|",
    ]
    by_rule: dict[tuple[str, str], list[str]] = {}
    for mutant, law in results:
        by_rule.setdefault((mutant.op, mutant.rule), []).append(f"{mutant.change}: {law or '**survives**'}")
    lines += [f"| {op} | {rule} | {' · '.join(found)} |" for (op, rule), found in sorted(by_rule.items())]
    lines += [
        "",
        "## Equivalent mutants",
        "",
        "| op or kind | rule | change | why it means the same |",
        "|---|---|---|---|",
    ]
    lines += [f"| {op} | {rule} | {change} | {why} |" for (op, rule, change), why in EQUIVALENT.items()]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    results = report()
    text = page(results)
    if "--write" in arguments:
        PAGE.write_text(text, "utf-8")
    else:
        print(text)
    survivors = [str(mutant) for mutant, law in results if law is None]
    print(f"{len(results) - len(survivors)} of {len(results)} killed", *survivors, sep="\n  ", file=sys.stderr)
    return bool(survivors)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
