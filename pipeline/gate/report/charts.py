"""Small drawings as SVG text, in the page's own colours, so that they follow light and dark."""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

Points = Iterable[tuple[float, float]]

SIDE = 200
ROW = 22


def curves(series: Mapping[str, Points], across: str, up: str, diagonal: bool = False) -> str:
    """Lines in the unit square, one per side; the diagonal is where nothing would be known."""
    parts = [_frame(across, up)]
    if diagonal:
        parts.append(_line([(0, 0), (1, 1)], "grid dashed"))
    parts += [_line(points, side) for side, points in series.items()]
    return _svg(SIDE + 50, SIDE + 44, parts, "square")


def dots(series: Mapping[str, Sequence[tuple[float, float, int]]], across: str, up: str) -> str:
    """Reliability: a dot per bin, larger where it holds more."""
    parts = [_frame(across, up), _line([(0, 0), (1, 1)], "grid dashed")]
    for side, bins in series.items():
        most = max((n for _, _, n in bins), default=1)
        for claimed, found, n in bins:
            x, y = _at(claimed, found)
            title = f"<title>said {claimed:.2f}, was {found:.2f}, {n} items</title>"
            size = 2 + 6 * (n / most) ** 0.5
            parts.append(f'<circle class="{side}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}">{title}</circle>')
    return _svg(SIDE + 50, SIDE + 44, parts, "square")


def _frame(across: str, up: str) -> str:
    ticks = "".join(
        f'<text x="{_at(v, 0)[0]:.0f}" y="{SIDE + 24}" text-anchor="middle">{v:g}</text>'
        f'<text x="34" y="{_at(0, v)[1] + 4:.0f}" text-anchor="end">{v:g}</text>'
        for v in (0, 0.5, 1)
    )
    middle = 10 + SIDE / 2
    turned = f'x="12" y="{middle}" text-anchor="middle" transform="rotate(-90 12 {middle})"'
    names = (
        f'<text x="{40 + SIDE / 2}" y="{SIDE + 40}" text-anchor="middle">{escape(across)}</text>'
        f"<text {turned}>{escape(up)}</text>"
    )
    return f'<rect class="grid" x="40" y="10" width="{SIDE}" height="{SIDE}"/>{ticks}{names}'


def _at(x: float, y: float) -> tuple[float, float]:
    return 40 + SIDE * x, 10 + SIDE * (1 - y)


def _line(points: Points, kind: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(*point) for point in points))
    return f'<polyline class="{kind}" points="{path}"/>'


def intervals(rows: Sequence[tuple[str, dict[str, Any]]], margin: float) -> str:
    """A line per slice: the gain, its 95 % interval, and how many items it rests on."""
    reach: float = max(
        [0.02, margin * 2, *(min(abs(edge), 0.25) for _, one in rows for edge in one["interval"])]
    )
    height = ROW * len(rows) + 34

    def x(gain: float) -> float:
        return 120 + 250 * (max(-reach, min(reach, gain)) + reach) / (2 * reach)

    parts = [
        f'<line class="grid" x1="{x(0):.1f}" x2="{x(0):.1f}" y1="4" y2="{height - 24}"/>',
        f'<line class="grid dashed" x1="{x(-margin):.1f}" x2="{x(-margin):.1f}" y1="4" y2="{height - 24}"/>',
        *(
            f'<text x="{x(gain):.1f}" y="{height - 8}" text-anchor="middle">{100 * gain:+.0f}</text>'
            for gain in (-reach, 0.0, reach)
        ),
    ]
    for row, (name, one) in enumerate(rows):
        y = 16 + ROW * row
        low, high = one["interval"]
        kind = {"worse": "lost", "not worse": "won"}.get(one["says"], "open")
        parts.append(
            f'<text x="112" y="{y + 4}" text-anchor="end">{escape(name)}</text>'
            f'<line class="{kind}" x1="{x(low):.1f}" x2="{x(high):.1f}" y1="{y}" y2="{y}"/>'
            f'<circle class="{kind}" cx="{x(one["gain"]):.1f}" cy="{y}" r="4"/>'
            f'<text x="380" y="{y + 4}">{one["n"]:,}</text>'
        )
    return _svg(420, height, parts, "forest")


def age(full: int, zero: int, retrain: int, upload: int, since: str | None) -> str:
    """What the network leaves of the reward as a model ages; today's mark is set when the page is opened."""
    end = max(zero * 1.1, 1)

    def x(day: float) -> float:
        return 30 + 360 * day / end

    points = [(0, 1), (full, 1), (zero, 0), (end, 0)]
    path = " ".join(f"{x(day):.1f},{20 + 90 * (1 - share):.1f}" for day, share in points)
    parts = [f'<polyline class="challenger" points="{path}"/>']
    for day, name in ((retrain, "retrain"), (upload, "upload"), (full, "full until"), (zero, "nothing")):
        level = {"upload": 20, "full until": 32}.get(name, 8)
        parts.append(
            f'<line class="grid dashed" x1="{x(day):.1f}" x2="{x(day):.1f}" y1="20" y2="110"/>'
            f'<text x="{x(day):.1f}" y="{122 + level}" text-anchor="middle">{name} {day}</text>'
        )
    if since:
        mark = '<line class="lost" y1="14" y2="110"/><text y="10" text-anchor="middle"></text>'
        parts.append(f'<g id="today" data-since="{escape(since)}" data-end="{end}" hidden>{mark}</g>')
    return _svg(420, 160, parts, "age")


def gauge(share: float) -> str:
    """How far the evidence has come, from nothing to enough."""
    filled = 100 * max(0.0, min(1.0, share))
    bars = [
        f'<rect class="{kind}" width="{width:.1f}" height="6" rx="3"/>'
        for kind, width in (("empty", 100.0), ("filled", filled))
    ]
    return _svg(100, 6, bars, "gauge")


def _svg(width: float, height: float, parts: Sequence[str], kind: str) -> str:
    return f'<svg class="{kind}" viewBox="0 0 {width:g} {height:g}" role="img">{"".join(parts)}</svg>'
