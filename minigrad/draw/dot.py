"""A graph in the DOT language, for Graphviz and its friends.

Floor 1.
"""

from __future__ import annotations

from collections.abc import Iterator

from minigrad.draw.model import Picture, picture
from minigrad.graph import Graph

_SHAPE = {"input": "ellipse", "constant": "note", "output": "ellipse", "holding": "box3d", "effect": "cds"}


def to_dot(graph: Graph) -> str:
    """The graph as DOT: one box per node, clusters for the graphs that ops hold.

    >>> from minigrad.graph import Graph
    >>> print(to_dot(Graph([], [], [])))
    digraph "f" {
      node [shape=box, fontname="monospace"];
    }
    """
    rows = [f"digraph {_quoted(graph.name)} {{", '  node [shape=box, fontname="monospace"];']
    rows += _rows(picture(graph), "n", "  ")
    return "\n".join([*rows, "}"])


def _rows(drawn: Picture, prefix: str, indent: str) -> Iterator[str]:
    for i, box in enumerate(drawn.boxes):
        label = _quoted(f"{box.title}\n{box.detail}")
        shape = f", shape={_SHAPE[box.kind]}" if box.kind in _SHAPE else ""
        tooltip = f", tooltip={_quoted(box.tooltip)}" if box.tooltip else ""
        yield f"{indent}{prefix}{i} [label={label}{shape}{tooltip}];"
        yield from (f"{indent}{prefix}{k} -> {prefix}{i};" for k in box.reads)
    for k, (caption, inner) in enumerate(drawn.held):
        yield f"{indent}subgraph cluster_{prefix}_{k} {{"
        yield f"{indent}  label={_quoted(caption)};"
        yield from _rows(inner, f"{prefix}_{k}_", indent + "  ")
        yield f"{indent}}}"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
