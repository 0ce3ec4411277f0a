"""The real text every row trains on: the English documentation that ships inside Python itself.

Floor 7. Nothing is downloaded. Batches are drawn by a generator of their own, so each row sees the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pydoc_data import topics

import numpy as np

from minigrad.op import ndarray


@dataclass(frozen=True)
class Text:
    """Characters as numbers. `codes` is the whole text, `alphabet[code]` the character of a code."""

    codes: ndarray  # int64 [length]
    alphabet: str

    @property
    def vocabulary(self) -> int:
        return len(self.alphabet)

    def decode(self, codes: ndarray) -> str:
        return "".join(self.alphabet[int(c)] for c in codes)

    def encode(self, text: str) -> ndarray:
        place = {c: i for i, c in enumerate(self.alphabet)}
        return np.array([place[c] for c in text if c in place], np.int64)

    def batches(self, size: int, length: int, seed: int) -> Iterator[tuple[ndarray, ndarray]]:
        """Endless (inputs, targets), both int64 [size, length]: targets are the inputs one character further on."""
        rng = np.random.default_rng(seed)
        while True:
            starts = rng.integers(0, len(self.codes) - length - 1, size)
            windows = self.codes[starts[:, None] + np.arange(length + 1)]
            yield windows[:, :-1], windows[:, 1:]


def python_documentation() -> Text:
    """About 460,000 characters: the help topics of Python, in alphabetical order."""
    text = "\n\n".join(topics.topics[name] for name in sorted(topics.topics))
    alphabet = "".join(sorted(set(text)))
    place = {c: i for i, c in enumerate(alphabet)}
    return Text(np.array([place[c] for c in text], np.int64), alphabet)
