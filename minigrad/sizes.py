"""Symbolic sizes: a size not known yet is a polynomial in named symbols, closed under +, -, *, // and decidable.

Floor 0.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from minigrad.errors import SymbolicSizeError

Atom: TypeAlias = "str | tuple[Dim, Dim]"  # a symbol, or a floor division that does not come out even
Monomial: TypeAlias = "tuple[Atom, ...]"
Size: TypeAlias = "int | Dim"
Shape: TypeAlias = "tuple[Any, ...]"  # of Size


@dataclass(frozen=True, slots=True)
class Dim:
    """A size not known yet: a polynomial with integer coefficients over symbols (and uneven quotients).

    `terms` is the normal form: (monomial, coefficient) pairs, sorted, no zero coefficients. Two Dims are equal
    exactly when their normal forms are; a constant polynomial is an `int`, never a Dim.
    """

    terms: tuple[tuple[Monomial, int], ...]

    @staticmethod
    def symbol(name: str) -> Dim:
        return Dim((((name,), 1),))

    def __add__(self, other: Size) -> Size:
        total = dict(self.terms)
        for monomial, k in _terms(other):
            total[monomial] = total.get(monomial, 0) + k
        return _normal(total)

    def __mul__(self, other: Size) -> Size:
        total: dict[Monomial, int] = {}
        for m, j in self.terms:
            for n, k in _terms(other):
                both = tuple(sorted(m + n, key=_order))
                total[both] = total.get(both, 0) + j * k
        return _normal(total)

    __radd__, __rmul__ = __add__, __mul__

    def __neg__(self) -> Size:
        return self * -1

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __rsub__(self, other: Size) -> Size:
        return self * -1 + other

    def __floordiv__(self, other: Size) -> Size:
        return _divide(self, other)

    def __rfloordiv__(self, other: Size) -> Size:
        return _divide(other, self)

    def __mod__(self, other: Size) -> Size:
        return self - _divide(self, other) * other

    def __index__(self) -> int:
        raise SymbolicSizeError(
            f"the size {self} is not known until the graph is fed",
            hint="use a function that takes the whole tensor, or feed a fixed size",
        )

    __int__ = __index__

    def _divided(self, other: Any) -> Any:
        raise SymbolicSizeError(
            f"a symbolic size is a whole number, so {self} cannot be divided with /",
            hint="use //, or a function that takes the whole tensor",
        )

    __truediv__ = __rtruediv__ = _divided

    def _ordered(self, other: Size) -> bool:
        raise SymbolicSizeError(f"cannot compare the symbolic size {self} with {other}")

    __lt__ = __le__ = __gt__ = __ge__ = _ordered

    def __str__(self) -> str:
        return " + ".join(_term_text(m, k) for m, k in self.terms).replace("+ -", "- ")

    __repr__ = __str__

    def substitute(self, sizes: Mapping[str, Size]) -> Size:
        """The size with symbols replaced."""
        total: Size = 0
        for monomial, k in self.terms:
            term: Size = k
            for atom in monomial:
                if isinstance(atom, str):
                    term = term * sizes.get(atom, Dim.symbol(atom))
                else:
                    term = term * (atom[0].substitute(sizes) // atom[1].substitute(sizes))
            total = total + term
        return total

    def symbols(self) -> set[str]:
        found: set[str] = set()
        for monomial, _ in self.terms:
            for atom in monomial:
                found |= {atom} if isinstance(atom, str) else atom[0].symbols() | atom[1].symbols()
        return found


def _terms(x: Size) -> tuple[tuple[Monomial, int], ...]:
    if isinstance(x, Dim):
        return x.terms
    if not isinstance(x, (int, np.integer)):
        raise SymbolicSizeError(
            f"a symbolic size is computed with integers, not with {x!r}",
            hint="as a number in a program the size is the sum of ones_like(x) over the axis",
        )
    return (((), int(x)),)


def _order(atom: Atom) -> tuple[int, str]:
    return (0, atom) if isinstance(atom, str) else (1, str(atom))


def _normal(total: dict[Monomial, int]) -> Size:
    terms = tuple(sorted(((m, k) for m, k in total.items() if k), key=lambda t: ([*map(_order, t[0])], t[1])))
    if not terms:
        return 0
    if len(terms) == 1 and terms[0][0] == ():
        return terms[0][1]
    # constants last reads better: n + 1
    return Dim(terms[1:] + terms[:1] if terms[0][0] == () else terms)


def _divide(a: Size, b: Size) -> Size:
    """a // b, exact where every term of a is a multiple of the single term of b."""
    divisor = _terms(b)
    if len(divisor) == 1:
        (monomial, k), quotient = divisor[0], {}
        for m, j in _terms(a):
            rest = list(m)
            for atom in monomial:
                if atom not in rest:
                    break
                rest.remove(atom)
            else:
                if k and j % k == 0:
                    quotient[tuple(rest)] = j // k
                    continue
            break
        else:
            return _normal(quotient)
    if a == b:
        return 1
    return Dim(((((_dim(a), _dim(b)),), 1),))


def _dim(x: Size) -> Dim:
    return x if isinstance(x, Dim) else Dim((((), x),))


def _term_text(monomial: Monomial, k: int) -> str:
    atoms = "*".join(a if isinstance(a, str) else f"(({a[0]})//({a[1]}))" for a in monomial)
    return str(k) if not atoms else atoms if k == 1 else f"-{atoms}" if k == -1 else f"{k}*{atoms}"


# Two sizes that only the feed can show to be equal: the session's graph listens here and checks when it runs.
assume_equal: ContextVar[Callable[[Size, Size], None] | None] = ContextVar("assume_equal", default=None)


def same_size(a: Size, b: Size) -> bool:
    """Equal, or assumed equal because a listener will check it when the sizes are known."""
    if a == b:
        return True
    listener = assume_equal.get()
    if listener is not None and (isinstance(a, Dim) or isinstance(b, Dim)):
        listener(a, b)
        return True
    return False


def same_shape(a: Sequence[Size], b: Sequence[Size]) -> bool:
    """As many axes, each of the same size."""
    return len(a) == len(b) and all(map(same_size, a, b))


def parse_size(text: str) -> Size:
    """A size from its text: integers, symbols, + - * // and brackets. Nothing is evaluated as Python."""
    tokens: Iterator[str] = iter([*re.findall(r"\d+|[A-Za-z_]\w*|//|[-+*()]", text), ""])
    token = next(tokens)

    def atom() -> Size:
        nonlocal token
        word, token = token, next(tokens, "")
        if word == "(":
            inner = total()
            token = next(tokens, "")
            return inner
        if word == "-":
            return atom() * -1
        return int(word) if word.isdigit() else Dim.symbol(word)

    def chain(operand: Callable[[], Size], signs: Mapping[str, Callable[[Any, Any], Size]]) -> Size:
        nonlocal token
        value = operand()
        while token in signs:
            sign, token = token, next(tokens, "")
            value = signs[sign](value, operand())
        return value

    def product() -> Size:
        return chain(atom, {"*": operator.mul, "//": operator.floordiv})

    def total() -> Size:
        return chain(product, {"+": operator.add, "-": operator.sub})

    return total()
