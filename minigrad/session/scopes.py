"""get_variable and variable_scope: variables shared by name.

Floor 6. `tf.Variable` makes its name unique; `get_variable` takes the exact name under the variable scopes in force,
and gives the variable that has it when the scope says `reuse`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from minigrad.errors import ArgumentError
from minigrad.session.graph_scope import Graph, get_default_graph
from minigrad.session.random_functions import as_value, glorot_uniform_initializer, zeros_initializer
from minigrad.session.shape import as_sizes, static
from minigrad.session.stacks import Stack
from minigrad.session.variables import Variable
from minigrad.types import FLOAT32, as_dtype, shape_text


class _AutoReuse:
    """Share the variable if it is there, else make it."""

    def __repr__(self) -> str:
        return "AUTO_REUSE"


AUTO_REUSE = _AutoReuse()


class VariableScope:
    """What get_variable goes by: a prefix for names, whether to share, and the default initializer."""

    def __init__(self, graph: Graph, name: str, reuse: Any, initializer: Any, dtype: Any) -> None:
        self.graph, self.name, self.reuse, self.initializer, self.dtype = graph, name, reuse, initializer, dtype

    @property
    def original_name_scope(self) -> str:
        return f"{self.name}/" if self.name else ""

    def reuse_variables(self) -> None:
        """From now on share."""
        self.reuse = True

    def __repr__(self) -> str:
        return f"<variable scope {self.name!r} reuse={self.reuse}>"


_scopes: Stack[VariableScope] = Stack("variable scopes")


def get_variable_scope() -> VariableScope:
    """The scope in force in the default graph."""
    graph, found = get_default_graph(), _scopes.top()
    return found if found is not None and found.graph is graph else VariableScope(graph, "", False, None, FLOAT32)


@contextmanager
def variable_scope(
    name_or_scope: Any, default_name: str | None = None, reuse: Any = None, initializer: Any = None, dtype: Any = None
) -> Iterator[VariableScope]:
    """Variables that get_variable makes inside stand under this name. reuse: True (they must exist), AUTO_REUSE, or
    None (as the outer scope says). A VariableScope instead of a name goes back to that scope."""
    outer = get_variable_scope()
    graph = outer.graph
    if isinstance(name_or_scope, VariableScope):
        given, name = name_or_scope, name_or_scope.name
        shared = reuse or given.reuse
        init, kind, inner = initializer or given.initializer, dtype or given.dtype, name.rpartition("/")[2]
    else:
        inner = name_or_scope if name_or_scope is not None else _unused(graph, outer.name, default_name)
        name = f"{outer.name}/{inner}" if outer.name else inner
        shared = reuse or outer.reuse
        init, kind = initializer or outer.initializer, dtype or outer.dtype
    scope = VariableScope(graph, name, shared, init, kind)
    with graph.name_scope(inner), _scopes.holding(scope):
        yield scope


def _unused(graph: Graph, outer: str, name: str | None) -> str:
    if not name:
        raise ArgumentError("variable_scope needs a name or a default_name")
    taken = {v.rpartition("/")[0] for v in graph.variables}
    found, k = name, 0
    while (f"{outer}/{found}" if outer else found) in taken:
        k += 1
        found = f"{name}_{k}"
    return found


def get_variable(
    name: str,
    shape: Any = None,
    dtype: Any = None,
    initializer: Any = None,
    trainable: bool = True,
    collections: Sequence[str] | None = None,
) -> Variable:
    """The variable of this name under the scopes in force: made, or shared when the scope says so.

    initializer: a function of the shape, numbers, or a tensor; default Glorot's uniform one for floats, else zeros.
    """
    scope = get_variable_scope()
    full = f"{scope.name}/{name}" if scope.name else name
    found: Variable | None = scope.graph.variables.get(full)
    if found is not None:
        return _shared(found, full, scope, shape, dtype)
    if scope.reuse is True:
        raise ArgumentError(
            f"variable {full} does not exist, or was not made with tf.get_variable()",
            hint="reuse=tf.AUTO_REUSE makes what is missing",
        )
    kind = as_dtype(dtype or scope.dtype or FLOAT32)
    chosen = initializer if initializer is not None else scope.initializer
    if chosen is None:
        chosen = glorot_uniform_initializer() if kind.kind == "f" else zeros_initializer()
    if shape is None and callable(chosen):
        raise ArgumentError(f"variable {full}: without an initial value its shape must be given")
    sizes = None if shape is None else static(f"variable {full!r}", as_sizes("get_variable", shape))
    with scope.graph.name_scope(None):
        made = Variable(lambda: as_value(chosen, sizes, kind), trainable, collections, full + "/", kind)
    scope.graph.variables[full] = made
    return made


def _shared(found: Variable, full: str, scope: VariableScope, shape: Any, dtype: Any) -> Variable:
    where = [(f"{full} made at", found.op.line)]
    if not scope.reuse:
        raise ArgumentError(
            f"variable {full} already exists",
            hint="did you mean reuse=True or reuse=tf.AUTO_REUSE in variable_scope?",
            lines=where,
        )
    if shape is not None and tuple(as_sizes("get_variable", shape)) != tuple(found.shape):
        wanted = shape_text(tuple(as_sizes("get_variable", shape)))
        raise ArgumentError(f"trying to share variable {full} as {wanted}, but its shape is {found.shape}", lines=where)
    if dtype is not None and as_dtype(dtype) != found.dtype:
        raise ArgumentError(
            f"trying to share variable {full} as {as_dtype(dtype).name}, but it is {found.dtype.name}", lines=where
        )
    return found
