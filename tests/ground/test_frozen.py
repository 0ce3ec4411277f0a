"""Frozen dataclasses behave as the standard library's, and compile nothing until they are used."""

import dataclasses
import pickle
from dataclasses import FrozenInstanceError, field

import pytest

from minigrad.frozen import dataclass


def classes(dataclass):
    """The same classes by one decorator or the other."""

    @dataclass(frozen=True)
    class Nothing:
        pass

    @dataclass(frozen=True)
    class One:
        a: object

    @dataclass(frozen=True)
    class Many(One):
        b: int = 2
        seen: list = field(default_factory=list, compare=False)
        hidden: int = field(default=5, repr=False)
        fixed: int = field(init=False, default=7)
        made: list = field(init=False, default_factory=list, compare=False)

        def __post_init__(self):
            object.__setattr__(self, "fixed", self.fixed + 1)

    @dataclass(frozen=True)
    class Own:
        a: int

        def __repr__(self):
            return "own"

        def __eq__(self, other):
            return type(other) is type(self) and abs(self.a - other.a) < 2

    @dataclass(frozen=True, eq=False)
    class Same:
        a: int

    return Nothing, One, Many, Own, Same


NOTHING, ONE, MANY, OWN, SAME = range(5)
CALLS = [
    (NOTHING, (), {}), (ONE, (1,), {}), (ONE, (float("nan"),), {}), (ONE, (), {"a": (1, 2)}), (MANY, (1,), {}),
    (MANY, (1, 3, [4], 6), {}), (MANY, (1,), {"seen": [1]}), (OWN, (1,), {}), (OWN, (2,), {}), (SAME, (1,), {}),
]  # fmt: skip


def test_as_the_standard_library_has_it():
    ours, theirs = classes(dataclass), classes(dataclasses.dataclass)
    mine, its = ([kinds[k](*args, **kwargs) for k, args, kwargs in CALLS] for kinds in (ours, theirs))
    assert list(map(repr, mine[:9])) == list(map(repr, its[:9]))
    assert list(map(vars, mine)) == list(map(vars, its))
    for a, x in zip(mine, its, strict=True):
        for b, y in zip(mine, its, strict=True):
            assert (a == b) == (x == y)
            assert (hash(a) == hash(b)) == (hash(x) == hash(y))
    for a, b in zip(ours, theirs, strict=True):
        assert a.__match_args__ == b.__match_args__
        assert [f.name for f in dataclasses.fields(a)] == [f.name for f in dataclasses.fields(b)]


@pytest.mark.parametrize("make", [dataclass, dataclasses.dataclass])
def test_what_is_refused(make):
    _, One, Many, *_ = classes(make)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'a'"):
        Many()
    with pytest.raises(TypeError, match="unexpected keyword argument 'fixed'"):
        Many(1, fixed=3)
    with pytest.raises(FrozenInstanceError, match="cannot assign to field 'a'"):
        One(1).a = 2
    with pytest.raises(FrozenInstanceError, match="cannot delete field 'a'"):
        del One(1).a


def test_changed_copies_share_nothing_made_for_each():
    _, _, Many, *_ = classes(dataclass)
    a, b = Many(1), Many(1)
    assert a.seen is not b.seen and a.made is not b.made
    assert dataclasses.replace(a, b=9) == Many(1, 9)


@dataclass(frozen=True)
class Kept:
    a: int
    b: str = "b"


class Child(Kept):
    """Not decorated itself."""


def test_subclasses_and_pickles():
    assert pickle.loads(pickle.dumps(Kept(1))) == Kept(1)
    assert repr(Child(1)) == "Child(a=1, b='b')" and Child(1) == Child(1) != Kept(1)


def test_nothing_is_compiled_before_the_first_instance():
    _, One, *_ = classes(dataclass)
    assert "a" not in One.__init__.__code__.co_varnames
    One(1)
    assert One.__init__.__code__.co_varnames == ("self", "a")
    assert One.__init__.__qualname__.endswith("One.__init__")
