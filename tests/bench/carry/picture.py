"""The comparison as a picture: one bar a contestant, CPU per result, with its spread. SVG, written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tests.bench.carry.verdicts import Line

WIDTH, LEFT, RIGHT, ROW, TOP, BAR = 860, 200, 190, 34, 84, 16
COMMAND = "python -m tests.bench.carry_bench"
STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1f2933}.t{font-size:16px;font-weight:600}.s{fill:#66788a;font-size:12px}"
    ".b{fill:#9fb3c8}.o{fill:#d9480f}.w{stroke:#1f2933;stroke-width:1.2}.bg{fill:#fff}"
)


def drawn(lines: Sequence[Line], what: str, where: str) -> str:
    """An SVG document, the least first. The service's own bars stand out; `what` and `where` are written over them."""
    height = TOP + ROW * len(lines) + 16
    most = max(line.cpu_us.high for line in lines)
    scale = (WIDTH - LEFT - RIGHT) / most
    rows = "".join(
        _row(line, TOP + ROW * place, scale)
        for place, line in enumerate(sorted(lines, key=lambda line: line.cpu_us.median))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' aria-label="CPU microseconds per result"><style>{STYLE}</style>'
        f'<rect class="bg" width="{WIDTH}" height="{height}"/>'
        f'<text class="t" x="16" y="26">CPU per result, microseconds (less is better)</text>'
        f'<text class="s" x="16" y="46">{escape(what)}</text>'
        f'<text class="s" x="16" y="64">{escape(where)} · {COMMAND}</text>{rows}</svg>\n'
    )


def _row(line: Line, top: int, scale: float) -> str:
    middle = top + BAR / 2 + 4.5
    low, high = LEFT + line.cpu_us.low * scale, LEFT + line.cpu_us.high * scale
    kind = "o" if line.name.startswith("bridge") else "b"
    said = f"{line.cpu_us.median:.1f} · {line.results_per_s.median / 1000:.1f}k results/s"
    return (
        f'<text x="{LEFT - 10}" y="{middle}" text-anchor="end">{escape(line.name)}</text>'
        f'<rect class="{kind}" x="{LEFT}" y="{top}" width="{line.cpu_us.median * scale:.1f}" height="{BAR}" rx="2"/>'
        f'<line class="w" x1="{low:.1f}" x2="{high:.1f}" y1="{top + BAR / 2}" y2="{top + BAR / 2}"/>'
        f'<text x="{high + 10:.1f}" y="{middle}">{said}</text>'
    )
