"""From text to the graph it says. The text is read as a tree of Python syntax and never run.

Floor 1. Whatever the text holds, the outcome is a graph or a GraphError with the line and what was expected there.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import is_dataclass
from typing import Any, NoReturn

from minigrad.errors import GraphError, MinigradError
from minigrad.graph import Const, Graph, Var
from minigrad.op import Array, Op, interpreter, registry
from minigrad.source import Line
from minigrad.text.words import CALLS, NAMES, Writing, tensor
from minigrad.types import assume_equal

_SOURCE = "<graph text>"  # the file name in the lines of parsed nodes


def parse(text: str) -> Graph:
    """The graph a text says: the inverse of `to_text`.

    Raises GraphError, with the line in the text, for anything else.

    >>> import minigrad.ops.elementwise
    >>> parse('def f(x: "f32[2]"):\\n    v0 = mul(x, 2.0)\\n    return v0').nodes[0].out.type
    TensorType(shape=(2,), dtype=dtype('float32'))
    """
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise GraphError(f"line {error.lineno or 1}: not Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError, TypeError) as error:
        raise GraphError(f"line 1: not Python: {error}") from None
    if len(tree.body) != 1 or not isinstance(tree.body[0], ast.FunctionDef):
        _expected("one function: def f(...):", tree.body[1] if len(tree.body) > 1 else None)
    # sizes that only running can show to be equal were accepted when the graph was made
    token = assume_equal.set(lambda a, b: None)
    try:
        return _Function(tree.body[0]).graph()
    except RecursionError:
        raise GraphError("line 1: expected a graph, not expressions nested without end") from None
    finally:
        assume_equal.reset(token)


def _expected(what: str, node: Any = None) -> NoReturn:
    raise GraphError(f"line {getattr(node, 'lineno', 1)}: expected {what}")


class _Function:
    """Reads one function of the text."""

    def __init__(self, tree: ast.FunctionDef) -> None:
        self.tree = tree
        self.writing = Writing()
        self.names: dict[str, Any] = {}  # Vars, and nested graphs

    def graph(self) -> Graph:
        self.inputs()
        *body, last = self.tree.body
        if not isinstance(last, ast.Return):
            _expected("`return` in the last line of the function", last)
        for statement in body:
            self.statement(statement)
        value = last.value
        parts = value.elts if isinstance(value, ast.Tuple) else [] if value is None else [value]
        outputs = [self.operand(p) for p in parts]
        self.writing.alive = False
        atoms = [x if isinstance(x, Var) else self.constant(x, last) for x in outputs]
        return self.writing.builder.graph(atoms, self.tree.name)

    def constant(self, x: Any, node: ast.AST) -> Const:
        if not isinstance(x, Array):
            _expected("a name or const(...) to return", node)
        return Const(x.array)

    def inputs(self) -> None:
        a = self.tree.args
        if a.posonlyargs or a.kwonlyargs or a.vararg or a.kwarg or a.defaults:
            _expected('plain parameters with types: x: "f32[2,3]"', self.tree)
        for p in a.args:
            if not isinstance(p.annotation, ast.Constant) or not isinstance(p.annotation.value, str):
                _expected(f'a type after {p.arg}, as in {p.arg}: "f32[2,3]"', p)
            t = self.attempt(p, tensor, p.annotation.value)
            line = Line(_SOURCE, p.lineno)
            self.define(p.arg, self.writing.builder.add_input(t, self.writing, p.arg, line), p)

    def define(self, name: str, value: Any, node: ast.AST) -> None:
        if name in self.names:
            _expected(f"a new name: {name} is defined twice", node)
        self.names[name] = value

    def statement(self, s: ast.stmt) -> None:
        if isinstance(s, ast.FunctionDef):
            if [getattr(d, "id", None) for d in s.decorator_list] != ["graph"]:
                _expected("@graph before a nested function", s)
            self.define(s.name, _Function(s).graph(), s)
        elif isinstance(s, ast.Assign) and len(s.targets) == 1:
            self.assign(s.targets[0], self.apply(s.value))
        elif isinstance(s, ast.Expr) and isinstance(s.value, ast.Call):
            found = self.apply(s.value)
            if not isinstance(found, tuple) or found:
                _expected("names for the outputs: v0 = ...", s)
        else:
            _expected("v0 = op(...), a nested @graph function or return", s)

    def assign(self, target: ast.expr, value: Any) -> None:
        names = target.elts if isinstance(target, ast.Tuple) else [target]
        if isinstance(value, tuple) != isinstance(target, ast.Tuple) or (
            isinstance(value, tuple) and len(value) != len(names)
        ):
            _expected(f"{len(value) if isinstance(value, tuple) else 'one'} name(s) for the outputs", target)
        for name, v in zip(names, value if isinstance(value, tuple) else (value,), strict=True):
            if not isinstance(name, ast.Name):
                _expected("a name for an output", target)
            if name.id != "_":
                self.define(name.id, v, target)

    def apply(self, call: ast.expr) -> Any:
        """op(operands): the op's outputs."""
        if not isinstance(call, ast.Call) or call.keywords:
            _expected("an op applied to operands: add(x, y) or Sum(axes=(0,))(x)", call)
        op = self.op(call.func)
        operands = [self.operand(a) for a in call.args]
        self.writing.line = Line(_SOURCE, call.lineno)
        token = interpreter.set(self.writing)  # a conversion that an operand needs is written too
        try:
            return self.attempt(call, self.writing.apply, op, operands)
        finally:
            interpreter.reset(token)

    def attempt(self, node: Any, f: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """f(...), whose complaints become GraphErrors at the node's line."""
        try:
            return f(*args, **more)
        except MinigradError as error:
            raise GraphError(f"line {node.lineno}: {error.what}", hint=error.hint) from None
        except RecursionError:
            raise
        except Exception as error:  # an op given parameters or operands of kinds it was never meant for
            raise GraphError(f"line {node.lineno}: cannot make sense of this: {error}") from error

    def op(self, func: ast.expr) -> Op:
        """The op a call's head names: a row, or a class with its parameters."""
        if isinstance(func, ast.Name):
            op = _row(func.id)
            if op is None:
                _expected(f"the name of an op; {func.id} is none that takes operands at once", func)
            return op
        if isinstance(func, ast.Call):
            made = self.value(func)
            if isinstance(made, Op):
                return made
        _expected("an op: its name, or its class with parameters", func)

    def operand(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Name) and isinstance(self.names.get(node.id), Var):
            return self.names[node.id]
        value = self.value(node)
        if not isinstance(value, (Array, bool, int, float, complex)):
            _expected("an operand: a name defined above, a number or const(...)", node)
        return value

    def value(self, node: ast.expr) -> Any:
        """A parameter or constant: literals, tuples, and the few names and calls that texts have."""
        match node:
            case ast.Constant():
                return node.value
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                inner = self.value(operand)
                if isinstance(inner, (int, float, complex)):
                    return -inner
            case ast.Tuple(elts=elts):
                return tuple([self.value(e) for e in elts])
            case ast.List(elts=elts):
                return [self.value(e) for e in elts]
            case ast.Name(id=name):
                return self.named(name, node)
            case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
                if all(k.arg for k in keywords):
                    return self.call(name, [self.value(a) for a in args], keywords, node)
        _expected("a number, a tuple, a name or a call of a known word", node)

    def named(self, name: str, node: ast.AST) -> Any:
        if isinstance(self.names.get(name), Graph):
            return self.names[name]
        if name in NAMES:
            return NAMES[name]
        return _row(name) or _expected(f"a name defined above; {name} is not", node)

    def call(self, name: str, args: list[Any], keywords: list[ast.keyword], node: ast.AST) -> Any:
        more = {k.arg: self.value(k.value) for k in keywords if k.arg}
        if name in CALLS:
            return self.attempt(node, CALLS[name], *args, **more)
        cls = registry.get(name)
        if not (isinstance(cls, type) and is_dataclass(cls)):
            _expected(f"the class of an op; {name} is none", node)
        return self.attempt(node, cls, *args, **more)


def _row(name: str) -> Op | None:
    """The row of a name; `and_` is the row `and`, which Python cannot say."""
    found = registry.get(name) or registry.get(name.removesuffix("_"))
    return found if isinstance(found, Op) else None
