"""Pictures of graphs: every node is there, nothing overlaps, edges run downward, the files are well formed."""

import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from minigrad.draw import to_dot, to_svg
from minigrad.draw.layout import layers_of, layout
from minigrad.draw.model import picture
from minigrad.graph import Graph
from minigrad.op import Array
from minigrad.ops import elementwise as e
from minigrad.ops.movement import Sum
from tests.graph.programs import HOLDING, graph_of, graphs, op_graphs

OPS = dict(op_graphs())
SVG = "{http://www.w3.org/2000/svg}"


def loss(x, w):
    return Sum((0,))(e.tanh(x * w)) * 0.5


MODEL = graph_of(loss, "f32[4,3]", "f32[3]", labels=("x", "w & b"))


def test_svg_says_everything() -> None:
    root = ElementTree.fromstring(to_svg(MODEL))
    assert root.get("viewBox", "").startswith("0 0 ")
    boxes = [g for g in root.iter(f"{SVG}g") if g.get("class", "").startswith("box")]
    said = [tuple(t.text for t in g.iter(f"{SVG}text")) for g in boxes]
    assert said == [
        ("x", "f32[4,3]"), ("w & b", "f32[3]"), ("mul", "f32[4,3]"), ("tanh", "f32[4,3]"),
        ("Sum (0,)", "f32[3]"), ("mul(·, 0.5)", "f32[3]"), ("output", "f32[3]"),
    ]  # fmt: skip
    assert [g.get("class") for g in boxes] == ["box input"] * 2 + ["box op"] * 4 + ["box output"]
    tips = [g.find(f"{SVG}title") for g in boxes]
    assert "return Sum((0,))(e.tanh(x * w)) * 0.5" in (tips[3].text or "")
    assert len([p for p in root.iter(f"{SVG}path") if p.get("class") == "edge"]) == 6


def test_dot_says_everything() -> None:
    dot = to_dot(MODEL)
    assert dot.startswith('digraph "f" {') and dot.endswith("}")
    assert '  n4 [label="Sum (0,)\\nf32[3]", tooltip=' in dot
    assert re.findall(r"n\d+ -> n\d+", dot) == ["n0 -> n2", "n1 -> n2", "n2 -> n3", "n3 -> n4", "n4 -> n5", "n5 -> n6"]


@pytest.mark.parametrize("name", HOLDING)
def test_held_graphs_are_drawn_in_frames(name: str) -> None:
    g = HOLDING[name]
    svg, dot = to_svg(g), to_dot(g)
    ElementTree.fromstring(svg)
    frames = svg.count('class="frame"')
    assert frames == dot.count("subgraph cluster_") == {"scan": 1, "cond": 2, "while": 4}[name]


@pytest.mark.parametrize("name", OPS)
def test_every_op_can_be_drawn(name: str) -> None:
    ElementTree.fromstring(to_svg(OPS[name]))
    to_dot(OPS[name])


@given(graphs())
@settings(max_examples=50, deadline=None)
def test_random_graphs_can_be_drawn(g: Graph) -> None:
    ElementTree.fromstring(to_svg(g))
    boxes = picture(g).boxes
    assert len([b for b in boxes if b.kind in ("input", "output")]) == len(g.inputs) + len(g.outputs)


@st.composite
def dags(draw):
    """What each box reads, and how wide it is."""
    n = draw(st.integers(0, 25))
    reads = [draw(st.lists(st.integers(0, i - 1), max_size=3)) if i else [] for i in range(n)]
    return reads, [draw(st.floats(40, 300)) for _ in range(n)]


@given(dags())
@settings(max_examples=100, deadline=None)
def test_layout(dag) -> None:
    """Boxes of a layer keep apart, everything lies in the page, edges go down from reader to read."""
    reads, widths = dag
    placed = layout(reads, widths)
    for i in range(len(reads)):
        assert placed.x[i] - widths[i] / 2 >= -1e-6 and placed.x[i] + widths[i] / 2 <= placed.width + 1e-6
        for k in range(i):
            if placed.layer[i] == placed.layer[k]:
                assert abs(placed.x[i] - placed.x[k]) >= (widths[i] + widths[k]) / 2
    assert len(placed.edges) == sum(len(set(row)) for row in reads)
    for points in placed.edges:
        levels = [at for _, at in points]
        assert levels == list(range(levels[0], levels[-1] + 1))


def test_layers() -> None:
    """What reads nothing stands just above its first reader."""
    assert layers_of([[], [], [0], [2], [3, 1]]) == [0, 2, 1, 2, 3]


def test_straight_chain() -> None:
    placed = layout([[], [0], [1], [2]], [80, 120, 60, 80])
    assert len(set(placed.x)) == 1


def test_constants_and_effects() -> None:
    table = Array(np.arange(6, dtype="f4"))
    g = graph_of(lambda x: [x + table, Array(np.float32(2))], "f32[6]")
    kinds = [(b.kind, b.title) for b in picture(g).boxes]
    assert kinds == [
        ("input", "x0"), ("constant", "constant"), ("op", "add"), ("output", "output 0"), ("output", "output 1 = 2.0"),
    ]  # fmt: skip


def test_a_big_graph_is_drawn_in_reasonable_time() -> None:
    def chain(x):
        first = [x]
        for _ in range(600):
            first.append(e.tanh(first[-1]))
        for y in reversed(first):
            x = x * y  # long edges: 600 * 600 / 2 joints would be too many
        return x

    assert len(to_svg(graph_of(chain, "f32[3]"))) < 1_000_000
