"""Cost of a night by the size of the journal, both axes logarithmic."""

from pathlib import Path
from typing import Any

WORDS = {"first_cpu": "the first night, all of it new", "cpu": "a night of 2,000 new pictures on top"}


def draw(rows: list[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (left, right) = pyplot.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
    entries = [row["entries"] for row in rows]
    for key, words in WORDS.items():
        left.loglog(entries, [row[key] for row in rows], "o-", label=words)
        right.semilogx(entries, [row[key.replace("cpu", "gb")] for row in rows], "o-")
    left.set(xlabel="journal entries", ylabel="CPU seconds of pull and mine")
    right.set(xlabel="journal entries", ylabel="peak memory, GB", ylim=(0, None))
    left.legend(frameon=False)
    figure.savefig(file, dpi=110)
    pyplot.close(figure)
