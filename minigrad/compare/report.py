"""The comparison as one self-contained page: no scripts, no network, readable on a phone, in dark and in light.

Floor 7.
"""

from __future__ import annotations

import importlib.util
from html import escape

from minigrad.compare import figures
from minigrad.compare.result import Comparison, Result
from minigrad.compare.table import COLUMNS, title, verdict
from minigrad.errors import ArgumentError

STYLE = """
:root {
  color-scheme: light dark; --ink: #1c1f23; --soft: #5b6470; --line: #d9dee4; --page: #f7f8fa; --card: #ffffff;
  --good: #00694e; --bad: #b3261e;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ed; --soft: #9aa5b1; --line: #333b45; --page: #14171b; --card: #1c2026; --good: #4cc9a0; --bad:
    #ff8a80;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 82rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .25rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem; }
p { max-width: 46rem; margin: .4rem 0; }
.soft { color: var(--soft); }
.verdict {
  border-left: .3rem solid var(--good); padding: .5rem .9rem; background: var(--card); margin: 1rem 0;
  max-width: none;
}
.verdict.bad { border-color: var(--bad); }
.scroll { overflow-x: auto; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; }
table { border-collapse: collapse; width: 100%; font-size: .8rem; font-variant-numeric: tabular-nums; }
th, td { padding: .45rem .5rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; vertical-align: bottom; white-space: normal; }
th:nth-child(-n+3), td:nth-child(-n+3) { text-align: left; }
td:first-child { font-weight: 600; }
tr.off td { color: var(--soft); font-weight: 400; }
td.status { white-space: normal; text-align: left; }
figure {
  margin: 1rem 0; background: var(--card); border: 1px solid var(--line); border-radius: .5rem; padding: .75rem;
  overflow-x: auto;
}
.side { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 32rem), 1fr)); column-gap: 1.5rem; }
figure svg { display: block; }
figure.drawing svg { width: 100%; min-width: 80rem; max-width: none !important; } /* legible on a phone: it scrolls */
figure:not(.drawing) svg { width: 100%; max-width: 40rem; height: auto; fill: currentColor; }
figure.drawing { max-height: 75vh; overflow: auto; }
figcaption { color: var(--soft); font-size: .85rem; margin-top: .5rem; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .25rem 1rem; font-size: .9rem; }
dt { font-weight: 600; } dd { margin: 0; color: var(--soft); }
details { margin: .75rem 0; } summary { cursor: pointer; font-weight: 600; }
@media (max-width: 48rem) {
  .scroll { overflow: visible; background: none; border: 0; }
  thead { display: none; }
  table, tbody, tr, td { display: block; width: 100%; }
  tr {
    background: var(--card); border: 1px solid var(--line); border-radius: .5rem; margin: .75rem 0; padding:
    .4rem .8rem;
  }
  td, td:nth-child(-n+3) {
    display: flex; justify-content: space-between; gap: 1rem; text-align: right; border: 0; padding: .2rem 0;
    white-space: normal;
  }
  td::before { content: attr(data-name); color: var(--soft); font-weight: 400; text-align: left; }
  dl { grid-template-columns: 1fr; } dd { margin-bottom: .4rem; }
}
"""


def require_matplotlib() -> None:
    """Raise an ArgumentError if the figures cannot be drawn."""
    if importlib.util.find_spec("matplotlib") is None:
        raise ArgumentError(
            "compare: the page's figures need matplotlib, which is not installed",
            hint="pip install 'minigrad[report]' (in a clone: pip install '.[report]')",
        )


def page(c: Comparison) -> str:
    """The whole report as HTML text."""
    bad = " bad" if c.disagreeing or c.failed else ""
    stopped = "<p>The run was interrupted; what had been measured by then is shown.</p>" if c.interrupted else ""
    drawings = "".join(_drawing(name, svg) for name, svg in c.drawings.items())
    meanings = "".join(f"<dt>{escape(h)}</dt><dd>{escape(meaning)}</dd>" for h, meaning, _ in COLUMNS)
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>minigrad compare: {escape(c.model)}</title>
<style>{STYLE}</style>
</head>
<body>
<main>
<h1>When does the graph exist?</h1>
<p>One model, one set of initial parameters, the same batches and the same update, trained through three front-ends.
They differ only in when the graph exists: before the run (session), during it (tape), on demand (tracer).</p>
<p class="soft">{escape(title(c))}</p>
<p class="verdict{bad}">{escape(verdict(c))}</p>
{stopped}
<h2>What each choice costs</h2>
<div class="scroll"><table>
<thead><tr>{"".join(f"<th>{escape(h)}</th>" for h, _, _ in COLUMNS)}</tr></thead>
<tbody>{"".join(map(_row, c.results))}</tbody>
</table></div>
<details><summary>What the columns mean</summary><dl>{meanings}</dl></details>
<div class="side">
<section><h2>The first moments</h2>
<figure>{figures.timeline(c)}<figcaption>From having data to the first steps. Where the graph exists before the run,
the time goes into making it; on the tape there is nothing to wait for, and nothing for a compiler to see.
</figcaption></figure></section>
<section><h2>A steady step</h2>
<figure>{figures.step_times(c)}<figcaption>The median of all steps but the first three; the whiskers are half the
interquartile range.</figcaption></figure></section>
<section><h2>The losses</h2>
<figure>{figures.losses(c)}<figcaption>The curves lie on each other: the execution model changes the cost,
not the result.</figcaption></figure></section>
</div>
<h2>The graph</h2>
<p>The loss, and its gradient, as the compiler leaves them after its passes. All front-ends build the same ones.</p>
{drawings}
</main>
</body>
</html>
"""


def _row(r: Result) -> str:
    first = COLUMNS[:3]
    if r.status == "ok":
        return f"<tr>{''.join(_cell(h, cell(r)) for h, _, cell in COLUMNS)}</tr>"
    status = escape(r.status.splitlines()[0])
    cells = "".join(_cell(h, cell(r)) for h, _, cell in first)
    return (
        f'<tr class="off">{cells}<td class="status" data-name="status" colspan="{len(COLUMNS) - 3}">{status}</td></tr>'
    )


def _cell(heading: str, text: str) -> str:
    return f'<td data-name="{escape(heading)}">{escape(text)}</td>'


def _drawing(name: str, svg: str) -> str:
    return f'<details open><summary>{escape(name)}</summary><figure class="drawing">{svg}</figure></details>'
