"""Pages that need nothing else: one file, light and dark, on a desk and on a phone."""

from collections.abc import Sequence
from html import escape

from pipeline.page.style import STYLE


def page(title: str, body: Sequence[str], after: str = "", style: str = "") -> str:
    head = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}{style}</style><main>"
    )
    return head + "\n".join(part for part in body if part) + f"</main>{after}</html>\n"


def section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{content}</section>"


def listed(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def card(title: str, figure: str, *lines: str) -> str:
    """Lines are words, but for those that are drawn already."""
    body = "".join(line if line.startswith("<") else f"<p>{escape(line)}</p>" for line in lines)
    return f"<article><h2>{escape(title)}</h2><p class=figure>{escape(figure)}</p>{body}</article>"


def cards(several: Sequence[str]) -> str:
    return f"<section class=cards>{''.join(several)}</section>" if several else ""
