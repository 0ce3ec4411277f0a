"""Graphs as pictures: `to_svg` (self-contained, readable in light and dark) and `to_dot` (for Graphviz).

Floor 1. `model` says what is drawn, `layout` where, `svg` and `dot` how.
"""

from minigrad.draw.dot import to_dot
from minigrad.draw.svg import to_svg

__all__ = ["to_dot", "to_svg"]
