"""Frozen dataclasses that cost little to define.

Floor 0. For each frozen class the standard library writes and compiles six methods while it is imported, a third of a
millisecond: there are a hundred, and that was a third of `import minigrad`. Here all classes share the methods that
can be shared, and an `__init__` is written when the first instance is made. Fields, defaults, comparison and errors
are the standard library's, and so are `fields` and `replace`. A comparison takes 60 ns longer: small things that are
compared much (types, lines, scalars of loops) have slots, and stay with the standard library.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import MISSING, FrozenInstanceError
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass
else:

    def dataclass(*, frozen: bool, eq: bool = True, repr: bool = True) -> Callable[[type], type]:
        """As `dataclasses.dataclass`. (What inherits from a class made here must be made here, too.)"""

        def made(cls: type) -> type:
            dataclasses.dataclass(init=False, repr=False, eq=False)(cls)
            shared = {"__init__": _first_init(cls), "__setattr__": _refuse, "__delattr__": _refuse}
            shared |= {"__repr__": _repr} if repr else {}
            shared |= _comparison([f.name for f in dataclasses.fields(cls) if f.compare]) if eq else {}
            for name, method in shared.items():
                if cls.__dict__.get(name) is None:  # a class with __eq__ has a __hash__ that is None
                    setattr(cls, name, method)
            return cls

        return made


def _first_init(cls: type) -> Callable[..., None]:
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        written = cls.__init__ = _written_init(cls)  # type: ignore[misc]
        written(self, *args, **kwargs)

    return __init__


def _written_init(cls: type) -> Callable[..., None]:
    known: dict[str, Any] = {"put": object.__setattr__, "MISSING": MISSING, "__name__": cls.__module__}
    parameters, lines = ["self"], []
    for f in dataclasses.fields(cls):
        made = f.default_factory is not MISSING
        if made or f.default is not MISSING:
            known[f"default_{f.name}"] = f.default_factory if made else f.default
        if f.init:
            default = f" = {'MISSING' if made else f'default_{f.name}'}" if f"default_{f.name}" in known else ""
            parameters.append(f.name + default)
        if made:
            given = f"{f.name} if {f.name} is not MISSING else " if f.init else ""
            lines.append(f"put(self, {f.name!r}, {given}default_{f.name}())")
        elif f.init:
            lines.append(f"put(self, {f.name!r}, {f.name})")
    if hasattr(cls, "__post_init__"):
        lines.append("self.__post_init__()")
    exec(f"def __init__({', '.join(parameters)}):\n    " + "\n    ".join(lines or ["pass"]), known)
    known["__init__"].__qualname__ = f"{cls.__qualname__}.__init__"
    return known["__init__"]  # type: ignore[no-any-return]


def _refuse(self: Any, name: str, *value: Any) -> None:
    raise FrozenInstanceError(f"cannot {'assign to' if value else 'delete'} field {name!r}")


def _repr(self: Any) -> str:
    shown = [f"{f.name}={getattr(self, f.name)!r}" for f in dataclasses.fields(self) if f.repr]
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _comparison(names: list[str]) -> dict[str, Any]:
    """`__eq__` and `__hash__` by the fields of these names."""
    if len(names) > 1:
        values: Callable[[Any], Any] = attrgetter(*names)
    elif names:
        only = attrgetter(*names)
        values = lambda x: (only(x),)
    else:
        values = lambda x: ()

    def __eq__(self: Any, other: Any) -> Any:
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self: Any) -> int:
        return hash(values(self))

    return {"__eq__": __eq__, "__hash__": __hash__}
