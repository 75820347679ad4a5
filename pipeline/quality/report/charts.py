"""Small drawings as SVG text, in the page's own colours, so that they follow light and dark."""

from collections.abc import Mapping, Sequence
from html import escape

ROW = 24
LEFT, WIDE = 112, 250


def stacks(rows: Mapping[str, Mapping[str, int]], kinds: Sequence[str]) -> str:
    """A bar per row, a piece per kind; on the right how many in all."""
    most = max((sum(one.values()) for one in rows.values()), default=0) or 1
    parts = []
    for number, (name, counts) in enumerate(rows.items()):
        y, x = 6 + ROW * number, float(LEFT)
        parts.append(_name(name, y))
        for kind in kinds:
            width = WIDE * counts.get(kind, 0) / most
            title = f"<title>{escape(name)}: {counts.get(kind, 0):,} {escape(kind)}</title>"
            parts.append(
                f'<rect class="{kind}" x="{x:.1f}" y="{y}" width="{width:.1f}" height="14">{title}</rect>'
            )
            x += width
        parts.append(f'<text x="{x + 6:.1f}" y="{y + 11}">{sum(counts.values()):,}</text>')
    return _svg(LEFT + WIDE + 56, ROW * len(rows) + 8, parts)


def twins(rows: Mapping[str, tuple[float, float]], kinds: tuple[str, str]) -> str:
    """Two shares beside each other, per row."""
    most = max((max(pair) for pair in rows.values()), default=0.0) or 1.0
    parts = []
    for number, (name, pair) in enumerate(rows.items()):
        y = 4 + ROW * number
        parts.append(_name(name, y))
        for line, (kind, share) in enumerate(zip(kinds, pair, strict=True)):
            width = max(WIDE * share / most, 0.5)
            title = f"<title>{escape(name)}: {share:.0%} of {escape(kind)}</title>"
            box = f'x="{LEFT}" y="{y + 9 * line}" width="{width:.1f}" height="8"'
            parts.append(f'<rect class="{kind}" {box}>{title}</rect>')
        parts.append(
            f'<text x="{LEFT + WIDE * max(pair) / most + 6:.1f}" y="{y + 13}">{_percent(pair)}</text>'
        )
    return _svg(LEFT + WIDE + 84, ROW * len(rows) + 8, parts)


def columns(sides: Mapping[str, Sequence[float]], across: str) -> str:
    """Histograms over [0, 1], one beside the other in each bin."""
    most = max((max(side) for side in sides.values()), default=0.0) or 1.0
    parts = ['<line class="grid" x1="20" x2="340" y1="120" y2="120"/>']
    for place, (kind, shares) in enumerate(sides.items()):
        for bin_, share in enumerate(shares):
            height = 108 * share / most
            x = 22 + 32 * bin_ + 14 * place
            title = f"<title>{share:.0%} of {escape(kind)}</title>"
            box = f'x="{x}" y="{120 - height:.1f}" width="13" height="{height:.1f}"'
            parts.append(f'<rect class="{kind}" {box}>{title}</rect>')
    parts += [f'<text x="{20 + 320 * v:g}" y="136" text-anchor="middle">{v:g}</text>' for v in (0, 0.5, 1)]
    parts.append(f'<text x="180" y="152" text-anchor="middle">{escape(across)}</text>')
    return _svg(360, 158, parts)


def _percent(pair: tuple[float, float]) -> str:
    return f"{pair[0]:.0%} · {pair[1]:.0%}"


def _name(name: str, y: float) -> str:
    return f'<text x="{LEFT - 8}" y="{y + 12}" text-anchor="end">{escape(name)}</text>'


def _svg(width: float, height: float, parts: Sequence[str]) -> str:
    return f'<svg class="bars" viewBox="0 0 {width:g} {height:g}" role="img">{"".join(parts)}</svg>'
