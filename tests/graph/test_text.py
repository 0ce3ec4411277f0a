"""The text of a graph is Python that says exactly that graph."""

import numpy as np
import pytest
from hypothesis import given, settings

from minigrad.control import Call
from minigrad.errors import GraphError
from minigrad.graph import Graph, check
from minigrad.interpreters.build import trace
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Reshape
from minigrad.ops.pieces import Slice
from minigrad.passes import run
from minigrad.text import namespace, parse, to_text
from minigrad.types import FLOAT32, Dim, TensorType
from tests.graph.programs import CONSTANTS, HOLDING, const_graph, graph_of, graphs, op_graphs

OPS = dict(op_graphs())


def holds(g: Graph) -> None:
    """The laws of the text, for one graph."""
    text = to_text(g)
    again = parse(text)
    assert again == g
    check(again)
    plain = to_text(g, lines=False, names=False)
    assert to_text(again, lines=False, names=False) == plain
    names = namespace()
    exec(plain, names)
    assert names["graph"](names["f"]) == g


@given(graphs())
@settings(max_examples=150, deadline=None)
def test_random_graphs_round_trip(g: Graph) -> None:
    holds(g)


@pytest.mark.parametrize("name", OPS)
def test_every_op_round_trips(name: str) -> None:
    holds(OPS[name])


@pytest.mark.parametrize("name", HOLDING)
def test_held_graphs_round_trip(name: str) -> None:
    holds(HOLDING[name])
    holds(trace(lambda *xs: Call(HOLDING[name])(*xs), HOLDING[name].in_types)[0])


@pytest.mark.parametrize("array", CONSTANTS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_constants_are_exact(array: np.ndarray) -> None:
    holds(const_graph(array))


def test_the_payload_of_a_nan_is_kept() -> None:
    odd = np.array([0x7FC00001, 0xFFC00000], "u4").view("f4")
    holds(const_graph(odd))
    holds(const_graph(odd[0].reshape(())))


def test_symbolic_sizes() -> None:
    n = Dim.symbol("n")
    f = lambda x: [Reshape((n * 2,))(x), Slice((0, 0), (n // 3, 2), (1, 1))(x)]
    g, _ = trace(f, [TensorType((n, 2), FLOAT32)])
    holds(g)
    assert 'dim("2*n")' in to_text(g)


def test_golden() -> None:
    def f(x, w):
        y = e.tanh(x * w)
        return [y, e.sub(1, y * 0.5)]

    g = graph_of(f, "f32[4,3]", "f32[3]", labels=("x", "w"))
    assert to_text(g, lines=False) == (
        'def f(x: "f32[4,3]", w: "f32[3]"):\n'
        "    v0 = mul(x, w)  # f32[4,3]\n"
        "    v1 = tanh(v0)  # f32[4,3]\n"
        "    v2 = mul(v1, 0.5)  # f32[4,3]\n"
        "    v3 = sub(1.0, v2)  # f32[4,3]\n"
        "    return v1, v3\n"
    )
    assert "# f32[4,3]  tests/graph/test_text.py:" in str(g)
    assert str(g) == to_text(g)


def test_golden_held_graph() -> None:
    assert to_text(HOLDING["cond"], lines=False) == (
        'def f(x: "f32[3]"):\n'
        "    v0 = Sum(axes=(0,))(x)  # f32[]\n"
        "    v1 = greater(v0, 0.5)  # bool[]\n"
        "    v2 = Convert(dtype=i64)(v1)  # i64[]\n"
        "    @graph\n"
        '    def branches_0(x0: "f32[3]"):\n'
        "        v0 = mul(x0, 2.0)  # f32[3]\n"
        "        return v0\n"
        "    @graph\n"
        '    def branches_1(x0: "f32[3]"):\n'
        "        v0 = div(x0, 4.0)  # f32[3]\n"
        "        v1 = add(v0, 0.0)  # f32[3]\n"
        "        return v1\n"
        "    v3, = Cond(branches=(branches_0, branches_1))(v2, x)  # f32[3]\n"
        "    return v3\n"
    )


def test_names_of_inputs() -> None:
    """A label becomes a name if it can be one and is nobody else's."""
    labels = ("params['w']", "add", "x1", "x", "x", "v0", "lambda", "größe", "f32")
    g = graph_of(lambda *xs: xs[0] * xs[5], *["f32[]"] * 9, labels=labels)
    first = to_text(g).splitlines()[0]
    assert first.replace(': "f32[]"', "") == "def f(params_w, x1, x2, x, x4, x5, x6, x7, x8):"
    holds(g)


def test_equal_graphs_print_equal_text() -> None:
    a = graph_of(lambda x, y: x + y, "f32[]", "f32[]", labels=("a", "b"))
    b = graph_of(lambda x, y: x + y, "f32[]", "f32[]", labels=("u", "v"))
    assert a == b and to_text(a) != to_text(b)
    assert to_text(a, lines=False, names=False) == to_text(b, lines=False, names=False)


def test_an_operand_of_another_dtype_is_converted() -> None:
    """As when the text is run: the ops take what they take."""
    g = parse('def f(x: "f32[2]", n: "i64[2]"):\n    v0 = add(x, n)\n    return v0')
    assert to_text(g, lines=False).splitlines()[1:3] == [
        "    v0 = Convert(dtype=f32)(n)  # f32[2]",
        "    v1 = add(x, v0)  # f32[2]",
    ]


def test_passes_sign_the_text() -> None:
    after, history = run(graph_of(lambda x: (x * 1.0) * 3.0, "f32[]"))
    rows = to_text(after, signed=history).splitlines()
    assert rows[0].startswith("# dce: 2 -> 2 nodes, ") and rows[2].endswith("ms: x * 1 -> x (1)")
    assert parse("\n".join(rows)) == after


# ── what is not the text of a graph ──────────────────────────────────────────────────────────────
# fmt: off
WRONG = {
    "": "line 1: expected one function: def f(...):",
    "x = 1": "line 1: expected one function: def f(...):",
    "def f(:": "line 1: not Python: ",
    "def f(x):\n    return x": 'line 1: expected a type after x, as in x: "f32[2,3]"',
    'def f(x: "f99[2]"):\n    return x': "line 1: not a tensor type: 'f99[2]'",
    'def f(x: "f32[2;3]"):\n    return x': "line 1: not a tensor type: 'f32[2;3]'",
    'def f(x: "f32[2]"):\n    y = sin(x)': "line 2: expected `return` in the last line of the function",
    'def f(x: "f32[2]"):\n    return y': "line 2: expected a name defined above; y is not",
    'def f(x: "f32[2]"):\n    v0 = sine(x)\n    return v0': "line 2: expected the name of an op; sine is none",
    'def f(x: "f32[2]"):\n    v0 = Sum(x)\n    return v0': "line 2: expected the name of an op; Sum is none",
    'def f(x: "f32[2]"):\n    v0 = Sine(n=1)(x)\n    return v0': "line 2: expected the class of an op; Sine",
    'def f(x: "f32[2]"):\n    v0 = Sum(axis=(0,))(x)\n    return v0': "line 2: cannot make sense of this: ",
    'def f(x: "f32[2]"):\n    v0 = Sum(axes="a")(x)\n    return v0': "line 2: ",
    'def f(x: "f32[2]"):\n    v0 = Sum(axes=(5,))(x)\n    return v0': "line 2: sum: axis 5 is out of range for f32[2]",
    'def f(x: "f32[2]"):\n    v0, v1 = sin(x)\n    return v0': "line 2: expected one name(s) for the outputs",
    'def f(x: "f32[2]"):\n    x = sin(x)\n    return x': "line 2: expected a new name: x is defined twice",
    'def f(x: "f32[2]"):\n    sin(x)\n    return x': "line 2: expected names for the outputs: v0 = ...",
    'def f(x: "f32[2]"):\n    v0 = add(x)\n    return v0': "line 2: add takes 2 operands, got 1",
    'def f(x: "f32[2]"):\n    v0 = add(x, const([1, 2], "f32[3]"))\n    return v0': "line 2: const: the elements",
    'def f(x: "f32[2]"):\n    v0 = add(x, const64("AAAA", "f32[2]"))\n    return v0': "line 2: const64: the bytes are",
    'def f(x: "f32[2]"):\n    v0 = host("g at a.py:1")(x)\n    return v0': "line 2: a Python function",
    'def f(x: "f32[2]"):\n    import os\n    return x': "line 2: expected v0 = op(...), a nested",
    'def f(x: "f32[2]"):\n    v0 = __import__("os").system("true")\n    return v0': "line 2: expected ",
    'def f(x: "f32[2]"):\n    v0 = Row(name="add", numpy=sub)(x)\n    return v0': "line 2: expected the class of an op",
    'def f(x: "f32[2]"):\n    v0 = add(x, dim("n"))\n    return v0': "line 2: expected an operand",
    'def f(x: "f32[2]"):\n    return 2.0': "line 2: expected a name or const(...) to return",
    'def f(x: "f32[2]", *y):\n    return x': 'line 1: expected plain parameters with types: x: "f32[2,3]"',
    'def f(x: "f32[2]"):\n    def g(y: "f32[]"):\n        return y\n    return x': "line 2: expected @graph before",
}
# fmt: on


@pytest.mark.parametrize("text", WRONG)
def test_wrong_text_names_its_line(text: str) -> None:
    with pytest.raises(GraphError) as caught:
        parse(text)
    assert caught.value.what.startswith(WRONG[text])


def test_deep_nesting_is_a_graph_error() -> None:
    for deep in ["(" * 50_000, "-" * 50_000 + "1", "[" * 90 + "]" * 90]:
        with pytest.raises(GraphError):
            parse(f'def f(x: "f32[2]"):\n    v0 = add(x, {deep})\n    return v0')


@given(graphs())
@settings(max_examples=40, deadline=None)
def test_damaged_text_is_a_graph_or_a_graph_error(g: Graph) -> None:
    text = to_text(g, lines=False)
    for cut in range(0, len(text), 7):
        before, after = text[:cut], text[cut:]
        for damaged in (before, before + after[1:], before + ")" + after, before + "9" + after):
            try:
                parse(damaged)
            except GraphError as error:
                assert error.what.startswith("line ")


def test_a_broadcast_constant_costs_no_memory() -> None:
    """A tensor of equal elements is one element, as text, as a key and in memory."""
    big = Array(np.broadcast_to(np.float32(2), (100_000, 100_000)))
    g = graph_of(lambda: [big])
    assert g == parse(to_text(g)) and hash(g) == hash(parse(to_text(g)))
    small = [graph_of(lambda a=a: [Array(a)]) for a in (np.full(9, 2.0), np.broadcast_to(2.0, (9,)), np.full(9, 3.0))]
    assert small[0] == small[1] != small[2]
