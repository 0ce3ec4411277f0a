"""Pytrees by JAX's names, over `minigrad.tree` (which is also `tracer.tree`).

Floor 6.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from minigrad import tree
from minigrad.tree import register_dataclass

__all__ = [
    "tree_map", "tree_flatten", "tree_unflatten", "tree_leaves", "tree_structure", "tree_reduce", "tree_all",
    "tree_transpose", "tree_flatten_with_path", "tree_map_with_path", "keystr",
    "register_pytree_node", "register_pytree_node_class", "register_dataclass",
]  # fmt: skip

tree_map = tree.map
tree_flatten = tree.flatten
tree_unflatten = tree.unflatten
tree_leaves = tree.leaves
tree_structure = tree.structure
tree_reduce = tree.reduce
tree_all = tree.all
tree_transpose = tree.transpose


def tree_flatten_with_path(
    whole: Any, is_leaf: Callable[[Any], bool] | None = None
) -> tuple[list[tuple[Any, Any]], tree.TreeDef]:
    """((path, leaf) pairs, structure)."""
    return tree.flatten_with_paths(whole, is_leaf), tree.structure(whole, is_leaf)


def tree_map_with_path(f: Callable[..., Any], whole: Any, *rest: Any) -> Any:
    """`f(path, leaf, *leaves of the rest)` for every leaf."""
    paths = iter(tree.structure(whole).paths())
    return tree.map(lambda *leaves: f(next(paths), *leaves), whole, *rest)


def keystr(path: Any) -> str:
    """A path as text: `['w'][0]`."""
    return tree.path_text("", path)


def register_pytree_node(
    cls: type, flatten: Callable[[Any], tuple[Any, Any]], unflatten: Callable[[Any, Any], Any]
) -> None:
    """Make a class a container: flatten gives (children, static), unflatten takes (static, children)."""
    tree.register(cls, flatten, unflatten)


def register_pytree_node_class(cls: Any) -> Any:
    """Make a class with `tree_flatten(self)` and `tree_unflatten(cls, static, children)` a container; a decorator."""
    tree.register(cls, lambda x: x.tree_flatten(), lambda static, children: cls.tree_unflatten(static, children))
    return cls
