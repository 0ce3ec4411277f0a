"""A graph as one self-contained SVG: no script, no font, no outside file; light or dark as the reader's page is.

Floor 1. A box's tooltip says the op in full and the user's line that made it.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from minigrad.draw.layout import Layout, layout
from minigrad.draw.model import Box, Picture, picture
from minigrad.graph import Graph

_CHARACTER = 7.3  # width in px of one character of 12 px monospace, on the wide side of common fonts
_BOX, _ROW = 38.0, 74.0  # height of a box; distance between layers
_MARGIN, _CAPTION = 16.0, 30.0
_FRAMES_WIDTH = 720.0  # frames stand side by side up to this width, or that of the graph they belong to

_STYLE = """
.mg{--ink:#1f2328;--soft:#59636e;--paper:#ffffff;--line:#8c959f;--op:#f6f8fa;
--input:#ddf4ff;--constant:#eaeef2;--output:#dafbe1;--holding:#fbefff;--effect:#fff1e5;
font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
@media(prefers-color-scheme:dark){.mg{--ink:#e6edf3;--soft:#9198a1;--paper:#0d1117;--line:#656c76;--op:#1c2128;
--input:#0c2d4d;--constant:#2a313c;--output:#0f3d22;--holding:#35204d;--effect:#4a2a12}}
.mg .page{fill:var(--paper)}
.mg text{fill:var(--ink);text-anchor:middle}
.mg .detail{fill:var(--soft);font-size:11px}
.mg .caption{text-anchor:start;font-weight:600}
.mg .box rect{fill:var(--op);stroke:var(--line)}
.mg .input rect{fill:var(--input)}.mg .constant rect{fill:var(--constant)}.mg .output rect{fill:var(--output)}
.mg .holding rect{fill:var(--holding)}.mg .effect rect{fill:var(--effect)}
.mg .box:hover rect{stroke:var(--ink);stroke-width:2}
.mg .edge{fill:none;stroke:var(--line);stroke-width:1.2}
.mg .tip{fill:var(--line)}
.mg .frame{fill:none;stroke:var(--line);stroke-dasharray:4 4}
"""


def to_svg(graph: Graph) -> str:
    """The graph drawn from inputs (top) to outputs (bottom); the graphs its ops hold follow below, in frames."""
    rows, width, height = _drawn(picture(graph))
    width, height = width + 2 * _MARGIN, height + 2 * _MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="mg" role="img" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'width="{width:.0f}" height="{height:.0f}" style="max-width:100%;height:auto">'
    )
    title = f"<title>{escape(graph.name)}: {len(graph.nodes)} nodes</title>"
    page = f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>'
    body = f'<g transform="translate({_MARGIN:.0f} {_MARGIN:.0f})">'
    return "\n".join([head, title, f"<style>{_STYLE}</style>", page, body, *rows, "</g></svg>"]) + "\n"


def _drawn(drawn: Picture) -> tuple[list[str], float, float]:
    """The rows of a picture drawn from (0, 0), its width and its height."""
    placed = layout([b.reads for b in drawn.boxes], [_width(b) for b in drawn.boxes])
    rows = [*_edges(placed), *_boxes(drawn.boxes, placed)]
    height = max(placed.layers - 1, 0) * _ROW + _BOX
    frames, frames_width, frames_height = _frames(drawn.held, max(placed.width, _FRAMES_WIDTH))
    if frames:
        height += 1.5 * _MARGIN
        rows += [f'<g transform="translate(0 {height:.1f})">', *frames, "</g>"]
    return rows, max(placed.width, frames_width), height + frames_height


def _frames(held: list[tuple[str, Picture]], limit: float) -> tuple[list[str], float, float]:
    """The held graphs in frames, side by side as far as `limit` allows; rows, width and height as in `_drawn`."""
    rows: list[str] = []
    x = y = width = height = 0.0
    for caption, inner in held:
        inner_rows, w, h = _drawn(inner)
        w, h = max(w, len(caption) * _CHARACTER) + 2 * _MARGIN, h + 2 * _MARGIN + _CAPTION
        if x and x + w > limit:
            x, y = 0.0, height + _MARGIN
        rows.append(f'<g transform="translate({x:.1f} {y:.1f})">')
        rows.append(f'<rect class="frame" rx="8" width="{w:.1f}" height="{h:.1f}"/>')
        rows.append(f'<text class="caption" x="{_MARGIN}" y="{_MARGIN + 6}">{escape(caption)}</text>')
        rows += [f'<g transform="translate({_MARGIN} {_MARGIN + _CAPTION})">', *inner_rows, "</g></g>"]
        width, height = max(width, x + w), max(height, y + h)
        x += w + _MARGIN
    return rows, width, height


def _width(box: Box) -> float:
    return max(len(box.title), len(box.detail), 5) * _CHARACTER + 20


def _boxes(boxes: list[Box], placed: Layout) -> Iterator[str]:
    for box, x, at in zip(boxes, placed.x, placed.layer, strict=True):
        w, y = _width(box), at * _ROW
        round_corner = _BOX / 2 if box.kind in ("input", "output") else 5
        yield f'<g class="box {box.kind}" transform="translate({x:.1f} {y:.1f})">'
        if box.tooltip.strip():
            yield f"<title>{escape(box.tooltip.strip())}</title>"
        yield f'<rect x="{-w / 2:.1f}" width="{w:.1f}" height="{_BOX:.0f}" rx="{round_corner:.0f}"/>'
        yield f'<text y="16">{escape(box.title)}</text><text class="detail" y="31">{escape(box.detail)}</text></g>'


def _edges(placed: Layout) -> Iterator[str]:
    """Each edge bends between layers, passes straight beside the boxes of a layer, and ends in a tip."""
    for points in placed.edges:
        (x, at), *rest = points
        path = [f"M{x:.1f} {at * _ROW + _BOX:.1f}"]
        y = at * _ROW + _BOX
        for k, (to, at) in enumerate(rest):
            top = at * _ROW
            last = k == len(rest) - 1
            end = top - 4 if last else top
            bend = (y + end) / 2
            path.append(f"C{x:.1f} {bend:.1f} {to:.1f} {bend:.1f} {to:.1f} {end:.1f}")
            x, y = to, end
            if not last:
                y = top + _BOX
                path.append(f"V{y:.1f}")
        yield f'<path class="edge" d="{"".join(path)}"/>'
        yield f'<path class="tip" d="M{x - 3.5:.1f} {y - 3:.1f}h7l-3.5 6.5z"/>'
