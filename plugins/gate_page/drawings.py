"""Two pictures as SVG: who was champion and how sure that is, and what the network leaves of an old one."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from gate_page import words
from gate_page.house import Reign

WIDTH, ROW, LEFT, RIGHT = 420, 30, 112, 400


def reigns(shown: Sequence[Reign], champion: Reign | None) -> str:
    """A line per champion, the newest first: its reward on gold and the 95 % interval."""
    low, high = _reach(shown)

    def x(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    bottom = ROW * len(shown) + 8
    parts = [
        f'<line x1="{x(value):.1f}" x2="{x(value):.1f}" y1="4" y2="{bottom}"/>'
        f'<text x="{x(value):.1f}" y="{bottom + 16}" text-anchor="middle">{words.figure(value)}</text>'
        for value in (low, (low + high) / 2, high)
    ]
    for row, one in enumerate(reversed(shown)):
        parts.append(_reign(one, 20 + ROW * row, x, one == champion))
    return _svg(bottom + 24, parts, "rewards of the champions")


def _reign(one: Reign, y: float, x: Any, reigning: bool) -> str:
    name = "name gone" if one.withdrawn else "name"
    text = f'<text class="{name}" x="0" y="{y + 4}">{escape(one.version)}</text>'
    text += f'<text x="50" y="{y + 4}">{one.since:%d %b}</text>'
    if one.reward is None:
        return f'{text}<text x="{LEFT}" y="{y + 4}">not told</text>'
    reach = ""
    if one.bounds:
        reach = (
            f'<line class="reach" x1="{x(one.bounds[0]):.1f}" x2="{x(one.bounds[1]):.1f}" y1="{y}" y2="{y}"/>'
        )
    title = f"<title>{words.figure(one.reward)} {words.bracket(one.bounds) if one.bounds else ''}</title>"
    dot = f'<circle cx="{x(one.reward):.1f}" cy="{y}" r="4.5">{title}</circle>'
    return f'<g class="{"now" if reigning else "then"}">{text}{reach}{dot}</g>'


def _reach(shown: Sequence[Reign]) -> tuple[float, float]:
    told: list[float] = [
        value for one in shown for value in (one.reward, *(one.bounds or ())) if value is not None
    ]
    low, high = min(told, default=0.0), max(told, default=1.0)
    room = max(0.02, 0.05 * (high - low))
    return low - room, high + room


def age(rule: Mapping[str, Any], days: float | None) -> str:
    """What is left of the reward, by days since the promotion; and today's mark."""
    full, zero = float(rule["full_days"]), float(rule["zero_day"])
    end = max(zero * 1.1, days or 0.0, 1.0)

    def x(day: float) -> float:
        return 20 + (WIDTH - 40) * day / end

    points = [(0, 1.0), (full, 1.0), (zero, 0.0), (end, 0.0)]
    path = " ".join(f"{x(day):.1f},{24 + 90 * (1 - share):.1f}" for day, share in points)
    parts = [f'<polyline class="curve" points="{path}"/>']
    marks = (("retrain", rule["retrain_by"], 132), ("upload", rule["upload_by"], 146))
    for name, day, y in (*marks, ("whole until", full, 160), ("nothing", zero, 132)):
        parts.append(
            f'<line class="dashed" x1="{x(day):.1f}" x2="{x(day):.1f}" y1="24" y2="118"/>'
            f'<text x="{x(day):.1f}" y="{y}" text-anchor="middle">{name} {day:g}</text>'
        )
    if days is not None:
        at = min(max(x(days), 50), WIDTH - 50)
        parts.append(
            f'<line class="today" x1="{x(days):.1f}" x2="{x(days):.1f}" y1="18" y2="118"/>'
            f'<text class="name" x="{at:.1f}" y="13" text-anchor="middle">today, day {days:.0f}</text>'
        )
    return _svg(170, parts, "reward by age")


def _svg(height: float, parts: Sequence[str], name: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{name}">{"".join(parts)}</svg>'
