"""The learning curves of every pool, side by side."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mining.curves import SHARE

COLOURS = {
    "random": "#adb5bd", "margin": "#1c7ed6", "k-center": "#74b816", "BADGE": "#9c36b5",
    "TypiClust": "#f59f00", "ours": "#d9480f",
}  # fmt: skip


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    names = list(dict.fromkeys(one["pool"] for one in rows))
    figure, axes = pyplot.subplots(1, len(names), figsize=(4.2 * len(names), 3.8), squeeze=False)
    for place, name in zip(axes[0], names, strict=True):
        found = [one for one in rows if one["pool"] == name]
        for one in found:
            shown = one["strategy"] == "ours"
            place.plot(
                one["at"], one["accuracy"], color=COLOURS[one["strategy"]],
                linewidth=2.4 if shown else 1.3, zorder=3 if shown else 2,
                label=f"{one['strategy']}: {one['labels']:.0f}",
            )  # fmt: skip
        full = float(np.mean([one["full"] for one in found]))
        place.axhline(SHARE * full, color="#495057", linewidth=0.8, linestyle=":")
        place.set(title=name, xlabel="labels", ylim=(full * 0.7, full * 1.03))
        place.legend(frameon=False, fontsize=7, loc="lower right", title="labels to the dotted line")
        place.get_legend().get_title().set_fontsize(7)
        place.spines[["top", "right"]].set_visible(False)
    axes[0][0].set_ylabel("accuracy on the test")
    figure.tight_layout()
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
