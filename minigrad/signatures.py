"""Signatures: what a program is made for, part by part, and how two of them differ.

Floor 0. Each part is known by the name the user has for it; what differs says how it differs and what to do about it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

_SHOWN = 60  # letters of a text that is longer than twice that


class Part(NamedTuple):
    """One thing a program is made for. kind: "array" (a type), "static", "structure", "setting" or "fetches".

    mark: what tells it from others of the same text.
    """

    kind: str
    text: str
    mark: int = 0


Signature: TypeAlias = "dict[str, Part]"


@dataclass(frozen=True, slots=True)
class Change:
    """One part that differs: what it is called, what it was and what it is; None where there is no such part."""

    path: str
    old: Part | None
    new: Part | None

    def __str__(self) -> str:
        old, new = (part.text if part else "none" for part in (self.old, self.new))
        start = max(0, _shared(old, new) - _SHOWN // 3)
        return f"{self.path}: {_short(old, start)} -> {_short(new, start)}"

    @property
    def distance(self) -> int:
        """Of types whether dtype and shape differ, of containers how much of their text."""
        if self.old is None or self.new is None:
            return 0
        old, new = self.old.text, self.new.text
        if self.new.kind == "structure":
            start = _shared(old, new)
            return max(len(old), len(new)) - start - _shared(old[start:][::-1], new[start:][::-1])
        return sum(a != b for a, b in zip(old.partition("["), new.partition("["))) if self.new.kind == "array" else 0

    @property
    def fix(self) -> str:
        """What the user can do about it."""
        name = self.path.rpartition(" ")[2]
        kinds = {part.kind for part in (self.old, self.new) if part}
        if kinds != {"array"}:
            return _FIXES[min(kinds)].format(name=name)
        if self.old is None or self.new is None:
            return "pass containers of one structure: the same keys and the same lengths at each call"
        old, new = self.old.text, self.new.text
        was, _, shape = old.partition("[")
        other = new.partition("[")[2]
        if shape == other == "]":
            return f"give {name} one dtype: as a Python number always an int, or always a float as in 1.0"
        if shape == other:
            return f"convert {name} to {was} before the call"
        if shape.count(",") != other.count(",") or "]" in (shape, other):
            return f"give {name} one rank: reshape it before the call"
        return f"give {name} one shape: pad it, or leave out the last, incomplete batch"


_FIXES = {
    "static": "every new value of a static argument is compiled: make {name} an array argument if no shape depends on "
    "it; a function or object made anew at each call is always new",
    "structure": "pass containers of one structure: the same types of containers at each call",
    "setting": "choose it once, before the first call",
    "fetches": "build the graph once, before the loop, and fetch the same tensors",
}


def changes(old: Signature, new: Signature) -> list[Change]:
    """What differs."""
    paths = [*new, *(path for path in old if path not in new)]
    return [Change(p, old.get(p), new.get(p)) for p in paths if old.get(p) != new.get(p)]


def _short(text: str, start: int) -> str:
    """A long text from about where it differs."""
    if len(text) <= 2 * _SHOWN:
        return text
    return "…" * (start > 0) + text[start : start + _SHOWN] + "…" * (start + _SHOWN < len(text))


def _shared(a: str, b: str) -> int:
    """How many letters they begin with are the same."""
    return next((k for k, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def distance(found: list[Change]) -> tuple[int, int]:
    """How far a signature is from another: how many parts differ, and by how much. Of equals the latest is taken."""
    return len(found), sum(c.distance for c in found)


def telling(found: list[Change]) -> list[Change]:
    """What of it to report: that containers differ says less than an argument that is there or not."""
    arguments = [c for c in found if c.old is None or c.new is None]
    return [c for c in found if c.new is None or c.new.kind != "structure"] if arguments else found
