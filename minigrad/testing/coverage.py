"""Which rule of which op is written, derived, or refused: a table found by looking at the ops themselves.

Floor 7. `python -m minigrad.testing.coverage` prints it; `--write` puts it into docs/ops.md.
"""

from __future__ import annotations

import sys
from pathlib import Path

from minigrad.op import NoGradient, Op
from minigrad.ops.kinds import Bilinear, Linear
from minigrad.ops.rows import LinearRow, Row
from minigrad.testing.inventory import class_cases, op_classes, rows

PAGE = Path(__file__).parents[2] / "docs" / "ops.md"
HEADER = """# Ops and their rules

Written by `python -m minigrad.testing.coverage --write`. For each op: what makes its type, its forward rule (`jvp`),
its reverse rule (`vjp`) and its batching. *written*: stated by the op; *derived*: follows from what the op states;
*none*: carries no derivative, and why; *refused*: asking is an error, and why. Every cell is held to the laws of
`minigrad/testing/laws.py`.
"""


def stated(cls: type[Op], rule: str) -> type[Op]:
    """The class that says what this rule is."""
    return next(c for c in cls.__mro__ if rule in vars(c))


def no_gradient_cell(why: NoGradient) -> str:
    return f"{'refused' if why.refuse else 'none'}: {why.reason}"


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────
def row_line(op: Row) -> str:
    forward = reverse = _row_rule(op)
    kinds = {"b": "bool", "i": "int", "u": "uint", "f": "float", "c": "complex"}
    takes = " ".join(kinds[k] for k in op.takes)
    gives = "the same" if op.gives == "same" else op.gives
    return f"| `{op.name}` | {op.operands} | {takes} | {gives} | {forward} | {reverse} |"


def _row_rule(op: Row) -> str:
    if isinstance(op.partials, NoGradient):
        return no_gradient_cell(op.partials)
    if all(p is None for p in op.partials):
        return "derived: zero, it is a step function"
    source = "transposes" if isinstance(op, LinearRow) else "partials"
    note = "; a zero annihilates" if op.singular else ""
    return f"derived from its {source}{note}"


# ── classes ──────────────────────────────────────────────────────────────────────────────────────
def class_line(cls: type[Op]) -> str:
    cells = [kind_of(cls), "written" if "out_type" in vars(cls) else _from(cls, "out_type")]
    cells += [derivative_cell(cls, "jvp"), derivative_cell(cls, "vjp"), batch_cell(cls)]
    return f"| `{cls.__name__}` | {' | '.join(cells)} |"


def kind_of(cls: type[Op]) -> str:
    """The kind an op class belongs to: the nearest class that is no op of its own."""
    kinds = [c.__name__ for c in cls.__mro__[1:] if issubclass(c, Op) and c is not Op and c.impl is Op.impl]
    shared = [c.__name__ for c in cls.__mro__[1:-1] if issubclass(c, Op) and c is not Op]
    return (kinds or shared or ["of its own"])[0]


def _from(cls: type[Op], rule: str) -> str:
    return f"derived by {stated(cls, rule).__name__}"


def reasons(cls: type[Op]) -> list[str]:
    """Why ops of this class have no derivative, over its samples; an empty text for those that have one."""
    found = [case.op.no_gradient for case in class_cases(cls)]
    return list(dict.fromkeys("" if why is None else no_gradient_cell(why) for why in found))


def derivative_cell(cls: type[Op], rule: str) -> str:
    refused = reasons(cls)
    if refused and all(refused):
        return " / ".join(refused)
    cell = _derivative(cls, rule)
    return " / ".join([cell, *filter(None, refused)])


def _derivative(cls: type[Op], rule: str) -> str:
    holder = stated(cls, rule)
    if holder is Op:
        if rule == "jvp":
            return "refused: it has a rule for reverse mode only"
        return "written, saving values" if stated(cls, "pullback") is not Op else "derived: its forward rule transposed"
    if issubclass(cls, Linear) and holder is Linear:
        return "derived: it is linear" if rule == "jvp" else "written: transpose"
    if issubclass(cls, Bilinear) and holder is Bilinear:
        return "derived: it is bilinear" if rule == "jvp" else "written: two transposes"
    return "written" if holder is cls else _from(cls, rule)


def batch_cell(cls: type[Op]) -> str:
    holder = stated(cls, "batch")
    if holder is Op:
        return "derived: a loop over lanes"
    return "written" if holder is cls else _from(cls, "batch")


# ── the page ─────────────────────────────────────────────────────────────────────────────────────
def page() -> str:
    """The whole of docs/ops.md."""
    elementwise = sorted(rows(), key=lambda op: op.name)
    classes = op_classes()
    lines = [
        HEADER,
        f"## Elementwise: {len(elementwise)} rows",
        "",
        "The type follows from broadcasting and *gives*; batching is derived: operands are aligned and broadcast.",
        "",
        "| op | operands | takes | gives | forward | reverse |",
        "|---|---|---|---|---|---|",
        *map(row_line, elementwise),
        "",
        f"## Structural: {len(classes)} classes",
        "",
        "| op | kind | type | forward | reverse | batch |",
        "|---|---|---|---|---|---|",
        *map(class_line, classes),
    ]
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    if "--write" in arguments:
        PAGE.write_text(page(), "utf-8")
    else:
        print(page())
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
