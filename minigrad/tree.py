"""Nested containers ("pytrees"): take one apart into leaves and structure, and put it back together.

Floor 0. Containers are dict, OrderedDict, defaultdict, list, tuple, None (an empty one), every namedtuple,
every dataclass instance, and what `register` adds. The exact type counts: a subclass of dict, list or tuple
is a leaf, like everything else. A dataclass field made with `field(metadata={"static": True})` belongs to the
structure.

    >>> leaves, structure = flatten({"w": 1.0, "b": (2.0, None)})
    >>> leaves, structure                       # keys are sorted where they can be
    ([2.0, 1.0], {'b': (*, None), 'w': *})
    >>> structure.unflatten([20.0, 10.0])
    {'b': (20.0, None), 'w': 10.0}

Dataclasses are rebuilt field by field, without `__init__`: leaves may be anything (types, positions,
tracers), so a constructor that converts or checks must not see them.
"""

import sys
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, NoReturn

from minigrad.containers import CONTAINERS, Container, Step, classify, register, register_dataclass, register_leaf
from minigrad.errors import TreeError

__all__ = [
    "TreeDef", "flatten", "unflatten", "leaves", "structure", "map", "all", "reduce", "transpose",
    "Path", "Step", "flatten_with_paths", "path_text",
    "register", "register_dataclass", "register_leaf",
]  # fmt: skip

IsLeaf = Callable[[Any], bool] | None
Path = tuple[Step, ...]

# Structure -----------------------------------------------------------------------------------------------


class Leaf:
    """The kind of a leaf's structure."""


class TreeDef:
    """The structure of a tree: what remains when every leaf is taken out. Immutable, hashable, comparable.

    `kind` is the container's class (`Leaf` for a leaf), `static` what the container keeps besides its
    children (keys, static fields), `children` their structures.
    """

    __slots__ = ("_hash", "children", "kind", "num_leaves", "static")

    def __init__(self, kind: type, static: Hashable, children: tuple["TreeDef", ...], num_leaves: int) -> None:
        self.kind, self.static, self.children, self.num_leaves = kind, static, children, num_leaves
        self._hash: int | None = None

    def unflatten(self, leaves: Iterable[Any]) -> Any:
        """Put leaves, in the order `flatten` gave them, into this structure."""
        leaves = list(leaves)
        if len(leaves) != self.num_leaves:
            raise TreeError(f"the structure {_short(self)} has {self.num_leaves} leaves, but {len(leaves)} were given")
        try:
            return _unflatten(self, iter(leaves))
        except RecursionError:
            _too_deep()

    def flatten_up_to(self, tree: Any) -> list[Any]:
        """The subtrees of `tree` where this structure has leaves: `tree` may go deeper, not differ."""
        found: list[Any] = []
        try:
            _flatten_up_to(self, tree, (), found)
        except RecursionError:
            _too_deep()
        return found

    def paths(self) -> list[Path]:
        """Where each leaf stands, in the order of the leaves."""
        found: list[Path] = []
        try:
            _paths(self, (), found)
        except RecursionError:
            _too_deep()
        return found

    def steps(self) -> list[Step]:
        """How to reach each child of the outermost container."""
        return list(_container(self.kind).steps(self.static, len(self.children)))

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, TreeDef):
            return NotImplemented
        try:
            return self._same_node(other) and self.children == other.children
        except RecursionError:
            _too_deep()

    def _same_node(self, other: "TreeDef") -> bool:
        """Whether the outermost containers agree, whatever their children are."""
        same = self.kind is other.kind and len(self.children) == len(other.children)
        return same and bool(self.static == other.static)

    def __hash__(self) -> int:
        if self._hash is None:
            try:
                self._hash = hash((self.kind, self.static, self.children))
            except TypeError as error:
                raise TreeError(
                    f"the static part of {self.kind.__name__} cannot be hashed: {error}",
                    hint="static parts are compared and hashed with the structure; make an array a child",
                ) from None
            except RecursionError:
                _too_deep()
        return self._hash

    def __reduce__(self) -> tuple[Any, ...]:
        return TreeDef, (self.kind, self.static, self.children, self.num_leaves)

    def __repr__(self) -> str:
        if self.kind is Leaf:
            return "*"
        try:
            return _container(self.kind).show(self.static, [repr(child) for child in self.children])
        except RecursionError:
            _too_deep()


_LEAF = TreeDef(Leaf, None, (), 1)


def _container(kind: type) -> Container:
    """The container of a structure's kind; met for the first time when the structure was unpickled."""
    container = CONTAINERS.get(kind) or classify(kind)
    if container is None:
        raise TreeError(f"{kind.__name__} is not a container in this process")
    return container


# Taking apart and putting together -----------------------------------------------------------------------


def flatten(tree: Any, is_leaf: IsLeaf = None) -> tuple[list[Any], TreeDef]:
    """The leaves of `tree`, left to right, and its structure; a subtree that `is_leaf` is taken whole."""
    found: list[Any] = []
    try:
        return found, _flatten(tree, found, is_leaf)
    except RecursionError:
        _too_deep()


def _flatten(tree: Any, found: list[Any], is_leaf: IsLeaf) -> TreeDef:
    kind = type(tree)
    container = CONTAINERS[kind] if kind in CONTAINERS else classify(kind)
    if container is None or (is_leaf is not None and is_leaf(tree)):
        found.append(tree)
        return _LEAF
    children, static = container.flatten(tree)
    before = len(found)
    structures = []
    for child in children:
        # The same question here saves a call for every leaf of a class met before (others answer True).
        if CONTAINERS.get(type(child), True) is None:
            found.append(child)
            structures.append(_LEAF)
        else:
            structures.append(_flatten(child, found, is_leaf))
    return TreeDef(kind, static, tuple(structures), len(found) - before)


def _unflatten(treedef: TreeDef, leaves: Iterator[Any]) -> Any:
    if treedef.kind is Leaf:
        return next(leaves)
    children = []
    for child in treedef.children:
        children.append(next(leaves) if child.kind is Leaf else _unflatten(child, leaves))
    return _container(treedef.kind).unflatten(treedef.static, children)


def _flatten_up_to(treedef: TreeDef, tree: Any, path: Path, found: list[Any]) -> None:
    if treedef.kind is Leaf:
        found.append(tree)
        return
    node = _LEAF
    if type(tree) is treedef.kind:
        children, static = _container(treedef.kind).flatten(tree)
        node = TreeDef(treedef.kind, static, (_LEAF,) * len(children), len(children))
    if not treedef._same_node(node):
        _differ(treedef, structure(tree), path)
    for child, subtree, step in zip(treedef.children, children, treedef.steps()):
        _flatten_up_to(child, subtree, (*path, step), found)


def unflatten(treedef: TreeDef, leaves: Iterable[Any]) -> Any:
    """Put leaves, in the order `flatten` gave them, into a structure."""
    return treedef.unflatten(leaves)


def leaves(tree: Any, is_leaf: IsLeaf = None) -> list[Any]:
    """The leaves of `tree`, left to right."""
    return flatten(tree, is_leaf)[0]


def structure(tree: Any, is_leaf: IsLeaf = None) -> TreeDef:
    """The structure of `tree`."""
    return flatten(tree, is_leaf)[1]


# Working on trees ----------------------------------------------------------------------------------------


def map(f: Callable[..., Any], tree: Any, *rest: Any, is_leaf: IsLeaf = None) -> Any:
    """`f(leaf, *leaves of the rest at the same place)` for every leaf of `tree`, in the structure of `tree`.

    All trees must have one structure; a TreeError names the first place where two of them differ.
    """
    first, treedef = flatten(tree, is_leaf)
    columns = [first]
    for other in rest:
        column, found = flatten(other, is_leaf)
        _demand(treedef, found, ())
        columns.append(column)
    return treedef.unflatten([f(*row) for row in zip(*columns)])


def all(tree: Any, is_leaf: IsLeaf = None) -> bool:
    """Whether every leaf is true."""
    return not any(not leaf for leaf in leaves(tree, is_leaf))


_NOTHING = object()


def reduce(f: Callable[[Any, Any], Any], tree: Any, initial: Any = _NOTHING, is_leaf: IsLeaf = None) -> Any:
    """Combine the leaves from left to right: `f(f(f(initial, leaf0), leaf1), leaf2)`."""
    rest = iter(leaves(tree, is_leaf))
    result = next(rest, _NOTHING) if initial is _NOTHING else initial
    if result is _NOTHING:
        raise TreeError("reduce of a tree without leaves needs an initial value")
    for leaf in rest:
        result = f(result, leaf)
    return result


def transpose(outer: TreeDef, inner: TreeDef, tree: Any) -> Any:
    """Turn a tree of structure `outer`, whose leaves are trees of structure `inner`, inside out."""
    if outer.num_leaves == 0:
        return inner.unflatten([outer.unflatten([])] * inner.num_leaves)
    rows = []
    for path, subtree in zip(outer.paths(), outer.flatten_up_to(tree)):
        row, found = flatten(subtree)
        _demand(inner, found, path)
        rows.append(row)
    return inner.unflatten([outer.unflatten(column) for column in zip(*rows)])


# Paths ---------------------------------------------------------------------------------------------------


def flatten_with_paths(tree: Any, is_leaf: IsLeaf = None) -> list[tuple[Path, Any]]:
    """The leaves of `tree`, each with the steps that lead to it; `path_text` prints them."""
    found, treedef = flatten(tree, is_leaf)
    return list(zip(treedef.paths(), found))


def path_text(root: str, path: Path) -> str:
    """The path as Python, from a variable called `root`: `params['layers'][0].weight`."""
    return root + "".join([step.text for step in path])


def _paths(treedef: TreeDef, path: Path, found: list[Path]) -> None:
    if treedef.kind is Leaf:
        found.append(path)
        return
    for step, child in zip(treedef.steps(), treedef.children):
        _paths(child, (*path, step), found)


# Refusals ------------------------------------------------------------------------------------------------


def _demand(expected: TreeDef, found: TreeDef, path: Path) -> None:
    """Raise a TreeError at the first place, from `path` on, where two structures part."""
    if expected == found:
        return
    if not expected._same_node(found):
        _differ(expected, found, path)
    for step, left, right in zip(expected.steps(), expected.children, found.children):
        _demand(left, right, (*path, step))


def _differ(expected: TreeDef, found: TreeDef, path: Path) -> NoReturn:
    hint = None
    if expected.kind is found.kind:
        ours, theirs = expected.steps(), found.steps()
        missing = [step.text for step in ours if step not in theirs]
        extra = [step.text for step in theirs if step not in ours]
        parts = [f"missing {', '.join(missing)}"] * bool(missing) + [f"unexpected {', '.join(extra)}"] * bool(extra)
        hint = "; ".join(parts) or None
    raise TreeError(
        f"the trees differ at {path_text('tree', path)}: expected {_short(expected)}, got {_short(found)}",
        hint=hint,
    )


def _short(treedef: TreeDef) -> str:
    text = "a leaf" if treedef.kind is Leaf else repr(treedef)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _too_deep() -> NoReturn:
    raise TreeError(
        f"the tree is nested too deeply for Python's recursion limit of {sys.getrecursionlimit()}",
        hint="does a container hold itself?",
    ) from None
