"""Moments and figures as a person says them, and the frame that every drawing shares."""

from datetime import UTC, datetime, timedelta
from html import escape
from urllib.parse import quote

from gate_page.airflow_state import Question, Run
from gate_page.style import STYLE

TITLES = {
    "PASS": "The challenger is promoted",
    "FAIL": "The challenger is refused",
    "INCONCLUSIVE": "Not known yet: the champion stays",
}


def document(body: str) -> str:
    """A whole page: opened by itself it stands, and Airflow's UI takes style and body out of it."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><base href="../">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><title>Gate</title>'
        f"<style>{STYLE}</style></head><body><main>{body}</main></body></html>\n"
    )


def span(seconds: float) -> str:
    """Like 3 h or 12 days: the largest unit that counts at least two, or else the smallest."""
    for unit, size in ((" days", 86400), (" h", 3600), (" min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f}{unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(moment: datetime, now: datetime | None = None) -> str:
    return f"{span(_apart(moment, now).total_seconds())} ago"


def ahead(moment: datetime, now: datetime | None = None) -> str:
    left = -_apart(moment, now).total_seconds()
    return f"in {span(left)}" if left > 0 else "due now"


def days(since: datetime, now: datetime | None = None) -> float:
    return _apart(since, now) / timedelta(days=1)


def figure(value: float) -> str:
    """Like .87: what lies between 0 and 1 needs no 0 before the point."""
    return f"{value:.2f}".replace("0.", ".", 1) if 0 <= value < 1 else f"{value:.2f}"


def bracket(bounds: tuple[float, float]) -> str:
    return f"[{figure(bounds[0])}, {figure(bounds[1])}]"


def items(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def article(title: str, figure: str, *lines: str) -> str:
    """A card with one large figure; the lines are HTML already."""
    body = "".join(f"<p>{line}</p>" for line in lines)
    return f'<article><h3>{escape(title)}</h3><p class="figure">{escape(figure)}</p>{body}</article>'


def link(address: str, text: str, elsewhere: bool = False) -> str:
    target = ' target="_blank" rel="noopener"' if elsewhere else ""
    return f'<a href="{escape(address)}"{target}>{escape(text)}</a>'


def run_link(run: Run) -> str:
    return link(f"dags/{run.dag}/runs/{quote(run.run, safe='')}", run.run)


def questions(asked: list[Question], dag: str) -> str:
    """What a person is asked, each with the way to its answer."""
    return "".join(
        f'<p class="asked"><b>{escape(one.subject)}</b> '
        + link(f"dags/{dag}/runs/{quote(one.run, safe='')}/tasks/{one.task}/required_actions", "Answer")
        + "</p>"
        for one in asked
    )


def _apart(moment: datetime, now: datetime | None) -> timedelta:
    return (now or datetime.now(UTC)) - moment
