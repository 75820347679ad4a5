"""The pictures that `benchmarks.world` leaves behind: a plot of its figures and a sheet of its streets."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.challenge import Pixels
from pipeline.world.paint import paint
from pipeline.world.scene import scene, tags

COLOURS = {"features": "#d95f0e", "features, base mix": "#2c7fb8", "histogram": "#7f7f7f"}


def plot(curve: Sequence[dict[str, Any]], slices: dict[str, dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.8), width_ratios=(1, 1.1))
    for name, colour in COLOURS.items():
        points = [(row["labels"], row[name]) for row in curve if row[name] is not None]
        left.plot(*zip(*points, strict=True), "o-", color=colour, label=name)
    left.set(xscale="log", xlabel="labelled frames", ylabel="accuracy on fresh challenges", ylim=(0.5, 1))
    left.set_xticks([row["labels"] for row in curve], [str(row["labels"]) for row in curve])
    left.minorticks_off()
    left.legend(frameon=False, loc="upper left")
    base, few, many = [column for column in slices["plain day"] if column != "n"]
    names = sorted(slices, key=lambda name: slices[name][many])
    right.barh(names, [slices[name][many] for name in names], color="#fdd0a2", height=0.7, label=many)
    for column, marker, colour in ((few, "o", "#d95f0e"), (base, "D", "#2c7fb8")):
        spots = [slices[name][column] for name in names]
        right.plot(spots, names, marker, color=colour, markersize=4, label=column)
    right.set(xlabel="accuracy by slice, and what it was learned from", xlim=(0.3, 1))
    right.legend(frameon=False, loc="lower right", fontsize=8)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=110)


def contact_sheet(file: Path) -> None:
    """Sixteen pictures that show the range, those with roadwork framed in orange."""
    wanted: list[tuple[int, int, tuple[str, ...]]] = [
        (300, 1, ("day", "clear", "site")), (4, 0, ("day", "clear", "near-miss")),
        (100, 1, ("night", "clear", "site")), (33, 0, ("day", "rain", "near-miss")),
        (12, 1, ("dusk", "clear", "single")), (41, 0, ("dusk", "clear", "near-miss")),
        (7, 1, ("day", "snow", "site")), (52, 0, ("night", "rain")),
        (21, 1, ("day", "fog", "site")), (63, 0, ("day", "clear", "glare")),
        (34, 1, ("day", "overcast", "small")), (75, 0, ("day", "overcast", "near-miss")),
        (44, 1, ("day", "clear", "far")), (86, 0, ("day", "snow")),
        (55, 1, ("night", "rain", "site")), (97, 0, ("night", "clear", "near-miss")),
    ]  # fmt: skip
    tiles = [tile(*one) for one in wanted]
    sheet = np.vstack([np.hstack(tiles[start : start + 4]) for start in range(0, len(tiles), 4)])
    file.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(file), sheet[:, :, ::-1])


def tile(seed: int, label: int, pins: tuple[str, ...]) -> Pixels:
    drawn = scene(seed, label, pins)
    small = cv2.resize(paint(drawn), (320, 180), interpolation=cv2.INTER_AREA)
    colour = (240, 110, 20) if label else (120, 124, 128)
    framed: Pixels = cv2.copyMakeBorder(small[3:-3, 3:-3], 3, 3, 3, 3, cv2.BORDER_CONSTANT, value=colour)
    words = ("roadwork: " if label else "clear: ") + ", ".join(tags(drawn))
    cv2.rectangle(framed, (3, 163), (3 + 6 * len(words), 177), (20, 20, 22), -1)
    cv2.putText(framed, words, (7, 173), cv2.FONT_HERSHEY_SIMPLEX, 0.34, (240, 240, 240), 1, cv2.LINE_AA)
    return framed
