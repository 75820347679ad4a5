"""A contact sheet of tonight's paintings: what was kept, what was thrown away, and why. One file."""

import base64
import html
from pathlib import Path

import cv2
import polars as pl

from inference_runtime import preprocess
from pipeline import images

WIDTH = 240  # pixels of a thumbnail
MOST = 120  # thumbnails of either kind; a person looks at no more

PAGE = """<!doctype html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width"><title>Paintings</title><style>
:root {{ color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif }}
body {{ max-width: 72rem; margin: 2rem auto; padding: 0 1rem }}
ul {{ list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(13rem, 1fr)) }}
img {{ width: 100%; border-radius: .3rem; display: block }} p {{ margin: .2rem 0; font-size: .85rem }}
.why, .roadwork, .clear {{ font-weight: 600 }}
.why {{ color: #c62828 }} .roadwork {{ color: #ef6c00 }} .clear {{ color: #2e7d32 }}
@media (prefers-color-scheme: dark) {{ .why {{ color: #ff8a80 }} }}
</style><h1>Paintings of the night</h1><p>{kept} kept, {dropped} thrown away.</p>
<h2>Thrown away</h2><ul>{bad}</ul><h2>Kept</h2><ul>{good}</ul></html>
"""


def write(file: Path, kept: pl.DataFrame, dropped: pl.DataFrame) -> None:
    good, bad = (
        "".join(_item(row) for row in rows.head(MOST).iter_rows(named=True)) or "<li>none</li>"
        for rows in (kept, dropped)
    )
    file.write_text(PAGE.format(kept=kept.height, dropped=dropped.height, good=good, bad=bad))


def _item(row: dict[str, object]) -> str:
    label = "roadwork" if row["label"] else "clear"
    why = f'<p class="why">{html.escape(str(row["declined"]))}</p>' if row.get("declined") else ""
    tags = html.escape(", ".join(map(str, row["tags"]))) if isinstance(row["tags"], list) else ""
    prompt = html.escape(str(row["prompt"]))
    return (
        f'<li><img alt="{label}, {tags}" title="{prompt}" src="{_thumbnail(str(row["image"]))}">{why}'
        f'<p><span class="{label}">{label}</span> · {row["source"]} · {row["mode"]}</p><p>{tags}</p></li>'
    )


def _thumbnail(image: str) -> str:
    pixels = preprocess.decode(images.read(image))
    height = max(1, round(WIDTH * pixels.shape[0] / pixels.shape[1]))
    small = cv2.resize(pixels, (WIDTH, height), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 80])[1]
    return f"data:image/jpeg;base64,{base64.b64encode(data.tobytes()).decode()}"
