"""Names of operations: unique within a graph, under the scope in force.

Floor 6. The rules are TensorFlow's: the first `x` is `x`, the next `x_1`, `x_2`; upper and lower case do not
make a difference; entering the scope `s` twice gives `s/` and `s_1/`, entering `s/` goes back to the very one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from minigrad.errors import ArgumentError

_OUTERMOST = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*\Z")
_INNER = re.compile(r"[A-Za-z0-9_.\\/>-]+\Z")


class Names:
    """The names a graph has given out, and the scope in force."""

    def __init__(self) -> None:
        self._count: dict[str, int] = {}
        self.scope = ""  # "" or "a/b"

    def unique(self, name: str) -> str:
        """`name` under the scope in force, made unique and reserved; a trailing slash means: exactly this."""
        if name.endswith("/"):
            return name[:-1]
        full = f"{self.scope}/{name}" if self.scope else name
        key = full.lower()
        count = self._count.get(key, 0)
        self._count[key] = count + 1
        if not count:
            return full
        while f"{key}_{count}" in self._count:
            count += 1
        self._count[key] = count + 1
        self._count[f"{key}_{count}"] = 1
        return f"{full}_{count}"

    def check(self, name: str) -> str:
        """The name itself if it may be one."""
        pattern = _INNER if self.scope else _OUTERMOST
        if not isinstance(name, str) or not pattern.match(name):
            raise ArgumentError(
                f"{name!r} is not a valid name", hint="letters, digits and _ . - / are, with a letter or digit first"
            )
        return name

    @contextmanager
    def under(self, name: str | None) -> Iterator[str]:
        """Names made inside stand under `name`; gives the scope as text, with its slash ("" at the top)."""
        outer = self.scope
        if not name:
            self.scope = ""
        elif name.endswith("/"):
            self.scope = name[:-1]
        else:
            self.scope = self.unique(self.check(name))
        try:
            yield f"{self.scope}/" if self.scope else ""
        finally:
            self.scope = outer
