"""The verdict as one page that needs nothing else: what was decided, by which numbers, on which pictures."""

import base64
from html import escape
from typing import Any

import cv2
import polars as pl

from inference_runtime import preprocess
from pipeline import challenge, images

SHOWN = 12
THUMB = (160, 90)

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Gate: {value}</title>
<style>
:root {{ color-scheme: light dark; --line: #8884; --pass: #1a7f37; --fail: #cf222e; --open: #9a6700; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }}
h1 {{ font-size: 1.6rem; }} h2 {{ font-size: 1.1rem; margin-top: 2rem; }}
.PASS {{ color: var(--pass); }} .FAIL {{ color: var(--fail); }} .INCONCLUSIVE {{ color: var(--open); }}
table {{ border-collapse: collapse; }} td:first-child, th:first-child {{ text-align: left; }}
td, th {{ padding: .25rem .8rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line); }}
.wide {{ overflow-x: auto; }} .items {{ display: flex; flex-wrap: wrap; gap: .5rem; }}
figure {{ margin: 0; width: 160px; font-size: .75rem; }}
img {{ width: 160px; height: 90px; object-fit: cover; }}
</style>
<h1><span class="{value}">{value}</span></h1>
{body}</html>
"""


def page(said: dict[str, Any], items: pl.DataFrame | None) -> str:
    parts = [
        _list(said["reasons"]),
        _section("Challenger and champion", _sides(said)),
        _section("Slices", _slices(said["evidence"].get("slices", {}))),
        _section(
            "The engine against torch",
            _table(["", ""], [[k.replace("_", " "), _number(v)] for k, v in said["parity"].items()]),
        ),
    ]
    if items is not None:
        parts += [_pictures(title, rows) for title, rows in _changed(items).items()]
    return PAGE.format(value=escape(said["value"]), body="\n".join(parts))


def _number(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.2g}"


def _list(lines: list[str]) -> str:
    return "<ul>" + "".join(f"<li>{escape(line)}</li>" for line in lines) + "</ul>"


def _section(title: str, content: str) -> str:
    return f"<h2>{escape(title)}</h2><div class=wide>{content}</div>" if content else ""


def _table(head: list[str], rows: list[list[str]]) -> str:
    if not rows:
        return ""
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{body}</table>"


def _sides(said: dict[str, Any]) -> str:
    rows = [
        [side, said[side] or "none", *(f"{scores[key]:.3f}" for key in ("reward", "accuracy", "mcc"))]
        for side, scores in said["scores"].items()
    ]
    return _table(["", "bundle", "expected reward", "accuracy", "MCC"], rows)


def _slices(slices: dict[str, dict[str, Any]]) -> str:
    rows = [
        [name, str(s["n"]), str(s["won"]), str(s["lost"]), f"{s['gain']:+.1%}", _says(s)]
        for name, s in slices.items()
    ]
    return _table(["slice", "items", "won", "lost", "gain", ""], rows)


def _says(found: dict[str, Any]) -> str:
    return f"too few, needs {found['needs']} more" if found["says"] == "too few" else str(found["says"])


def _changed(items: pl.DataFrame) -> dict[str, pl.DataFrame]:
    if items["champion"].null_count():
        return {}
    right = (pl.col("challenger") > 0.5) == (pl.col("label") == 1)
    before = (pl.col("champion") > 0.5) == (pl.col("label") == 1)
    return {"Won": items.filter(right & ~before), "Lost": items.filter(before & ~right)}


def _pictures(title: str, rows: pl.DataFrame) -> str:
    shown = "".join(_figure(row) for row in rows.head(SHOWN).iter_rows(named=True))
    return _section(f"{title} ({rows.height})", f"<div class=items>{shown}</div>" if shown else "")


def _figure(row: dict[str, Any]) -> str:
    word = "roadwork" if row["label"] else "clear"
    caption = f"{word}: {row['champion']:.2f} → {row['challenger']:.2f} {' '.join(row['tags'])}"
    picture = f'<img alt="{word}" src="{_thumb(row["image"])}">'
    return f"<figure>{picture}<figcaption>{escape(caption)}</figcaption></figure>"


def _thumb(image: str) -> str:
    small = cv2.resize(preprocess.decode(images.read(image)), THUMB, interpolation=cv2.INTER_AREA)
    return "data:image/jpeg;base64," + base64.b64encode(challenge.encode(small)).decode()
