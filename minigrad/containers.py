"""Which classes are containers, and how each is taken apart, rebuilt, printed and stepped into.

Floor 0; `minigrad.tree` is its face. `CONTAINERS` maps every class met so far to its Container, or to None
for a leaf, so asking costs one dictionary look-up; `classify` decides for a class met for the first time.
"""

import dataclasses
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, TypeVar

from minigrad.errors import TreeError

C = TypeVar("C", bound=type[Any])


class Step(NamedTuple):
    """One step into a container: the key, position or field name, and the step as Python text."""

    key: Any
    text: str

    def __str__(self) -> str:
        return self.text


class Container(NamedTuple):
    """What a tree must know about one class. `static` is whatever the structure keeps beside the children."""

    flatten: Callable[[Any], tuple[Sequence[Any], Hashable]]  # container -> children, static
    unflatten: Callable[[Any, list[Any]], Any]  # static, children -> container
    steps: Callable[[Any, int], Iterable[Step]]  # static, number of children -> how to reach each child
    show: Callable[[Any, list[str]], str]  # static, texts of the children -> text


# Dicts ---------------------------------------------------------------------------------------------------


def _sorted_keys(d: dict[Any, Any]) -> tuple[Any, ...]:
    """Sorted, so that two dicts filled in another order agree; as they come where keys cannot be compared."""
    try:
        return tuple(sorted(d))
    except TypeError:
        return tuple(d)


def _flatten_dict(d: dict[Any, Any]) -> tuple[list[Any], Hashable]:
    keys = _sorted_keys(d)
    return [d[key] for key in keys], keys


def _flatten_defaultdict(d: defaultdict[Any, Any]) -> tuple[list[Any], Hashable]:
    keys = _sorted_keys(d)
    return [d[key] for key in keys], (d.default_factory, keys)


def _key_steps(keys: tuple[Any, ...]) -> list[Step]:
    return [Step(key, f"[{key!r}]") for key in keys]


def _show_dict(keys: tuple[Any, ...], texts: list[str]) -> str:
    return "{" + ", ".join(f"{key!r}: {text}" for key, text in zip(keys, texts)) + "}"


def _show_defaultdict(static: tuple[Any, tuple[Any, ...]], texts: list[str]) -> str:
    factory, keys = static
    return f"defaultdict({getattr(factory, '__name__', repr(factory))}, {_show_dict(keys, texts)})"


# Sequences and classes with fields ---------------------------------------------------------------------


def _index_steps(static: Any, count: int) -> list[Step]:
    return [Step(i, f"[{i}]") for i in range(count)]


def _attribute_steps(names: Iterable[str]) -> list[Step]:
    return [Step(name, f".{name}") for name in names]


def _show_call(cls: type, names: Iterable[str], texts: Iterable[str]) -> str:
    return f"{cls.__name__}({', '.join(f'{name}={text}' for name, text in zip(names, texts))})"


def _namedtuple(cls: Any) -> Container:
    """`_make` goes round a `__new__` that checks or converts, as dataclasses go round `__init__`."""
    fields: tuple[str, ...] = cls._fields
    return Container(
        flatten=lambda value: (value, None),
        unflatten=lambda static, children: cls._make(children),
        steps=lambda static, count: _attribute_steps(fields),
        show=lambda static, texts: _show_call(cls, fields, texts),
    )


def _dataclass(cls: type, fields: tuple[str, ...], static_fields: tuple[str, ...]) -> Container:
    def flatten(value: Any) -> tuple[list[Any], Hashable]:
        return [getattr(value, name) for name in fields], tuple([getattr(value, n) for n in static_fields])

    def unflatten(static: tuple[Any, ...], children: list[Any]) -> Any:
        value: Any = object.__new__(cls)
        for name, child in zip(fields + static_fields, [*children, *static]):
            object.__setattr__(value, name, child)  # frozen dataclasses refuse the ordinary way
        return value

    def show(static: tuple[Any, ...], texts: list[str]) -> str:
        return _show_call(cls, fields + static_fields, [*texts, *map(repr, static)])

    return Container(flatten, unflatten, lambda static, count: _attribute_steps(fields), show)


# The register ------------------------------------------------------------------------------------------

CONTAINERS: dict[type, Container | None] = {
    type(None): Container(lambda _: ((), None), lambda *_: None, _index_steps, lambda *_: "None"),
    tuple: Container(
        flatten=lambda value: (value, None),
        unflatten=lambda static, children: tuple(children),
        steps=_index_steps,
        show=lambda static, texts: f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})",
    ),
    list: Container(
        flatten=lambda value: (value, None),
        unflatten=lambda static, children: children,
        steps=_index_steps,
        show=lambda static, texts: f"[{', '.join(texts)}]",
    ),
    dict: Container(
        flatten=_flatten_dict,
        unflatten=lambda keys, children: dict(zip(keys, children)),
        steps=lambda keys, count: _key_steps(keys),
        show=_show_dict,
    ),
    OrderedDict: Container(
        flatten=lambda value: (list(value.values()), tuple(value)),
        unflatten=lambda keys, children: OrderedDict(zip(keys, children)),
        steps=lambda keys, count: _key_steps(keys),
        show=lambda keys, texts: f"OrderedDict({_show_dict(keys, texts)})",
    ),
    defaultdict: Container(
        flatten=_flatten_defaultdict,
        unflatten=lambda static, children: defaultdict(static[0], zip(static[1], children)),
        steps=lambda static, count: _key_steps(static[1]),
        show=_show_defaultdict,
    ),
}
_registered: set[type] = set(CONTAINERS)  # by hand, rather than by `classify`: these must not change


def classify(cls: type) -> Container | None:
    """Decide what a class is when it is first met, and remember it.

    A dataclass with a `__new__` of its own (a dict, an exception, an enum besides) is a leaf: it could not be
    rebuilt field by field.
    """
    container = None
    if issubclass(cls, tuple) and hasattr(cls, "_fields") and hasattr(cls, "_make"):
        container = _namedtuple(cls)
    elif dataclasses.is_dataclass(cls) and cls.__new__ is object.__new__:
        fields = dataclasses.fields(cls)
        static = tuple(field.name for field in fields if field.metadata.get("static"))
        container = _dataclass(cls, tuple(f.name for f in fields if f.name not in static), static)
    return CONTAINERS.setdefault(cls, container)


def register(
    cls: type,
    flatten: Callable[[Any], tuple[Any, ...]],
    unflatten: Callable[[Any, list[Any]], Any],
) -> None:
    """Make a class a container.

    `flatten(value)` gives `(children, static)` or `(children, static, names of the children)`; `static` must
    be hashable. `unflatten(static, children)` builds the value again, from children of any kind.
    """

    def named(value: Any) -> tuple[Sequence[Any], Hashable]:
        children, static, *names = flatten(value)
        return tuple(children), (static, tuple(names[0]) if names and names[0] is not None else None)

    def steps(static: tuple[Any, tuple[str, ...] | None], count: int) -> list[Step]:
        if static[1] is None:
            return [Step(i, f"<child {i}>") for i in range(count)]
        return _attribute_steps(static[1])

    def show(static: tuple[Any, tuple[str, ...] | None], texts: list[str]) -> str:
        return _show_call(cls, static[1], texts) if static[1] is not None else f"{cls.__name__}({', '.join(texts)})"

    _add(cls, Container(named, lambda static, children: unflatten(static[0], children), steps, show))


def register_dataclass(
    cls: C, data_fields: Iterable[str] | None = None, static_fields: Iterable[str] | None = None
) -> C:
    """Say which fields of a dataclass are children and which are static; usable as a decorator.

    Dataclasses are containers without this. It is for one whose `field(metadata={"static": True})` cannot be
    written where it stands. Fields named in neither list keep what their metadata says; static wins.
    """
    fields = {field.name: bool(field.metadata.get("static")) for field in dataclasses.fields(cls)}
    changed = dict.fromkeys(data_fields or (), False) | dict.fromkeys(static_fields or (), True)
    unknown = [name for name in changed if name not in fields]
    if unknown:
        raise TreeError(f"{cls.__name__} has no field {unknown[0]!r}; its fields are {', '.join(fields)}")
    fields |= changed
    static = tuple(name for name, is_static in fields.items() if is_static)
    _add(cls, _dataclass(cls, tuple(name for name in fields if name not in static), static))
    return cls


def register_leaf(cls: C) -> C:
    """Make a dataclass or namedtuple (a type, a graph, an array) a leaf; usable as a decorator."""
    _add(cls, None)
    return cls


def _add(cls: type, container: Container | None) -> None:
    if cls in _registered:
        raise TreeError(f"{cls.__name__} is registered already")
    _registered.add(cls)
    CONTAINERS[cls] = container
