"""What pull and mine cost as the journal grows, beside FiftyOne Brain's own functions.

python -m benchmarks.data [--quick]

For each size a city of small generated pictures is journalled, four entries a picture. The first night brings
all of it home; then 2,000 new pictures arrive, and the next night is timed by itself. Each night is the real
pull and the real mine in one process. No backbone runs: vectors are generated, too, and written through the
cache's own door, under the key that the night looks under. Seconds of the CPU are fitted, since they do not
depend on what else the machine does.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import results_file
from benchmarks.data import plot

SIZES, QUICK = (10_000, 50_000, 250_000, 1_000_000), (1_000, 4_000)
EACH = 4  # entries a picture
BRAIN, BRAIN_QUICK = (2_500, 12_500), (500,)
ROOT = Path(__file__).parents[2]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.data", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    given = parser.parse_args()
    sizes, new, brains = (QUICK, 200, BRAIN_QUICK) if given.quick else (SIZES, 2_000, BRAIN)
    rows = []
    for size in sizes:
        with tempfile.TemporaryDirectory(prefix="data-") as folder:
            rows.append(measured(Path(folder), size // EACH, new))
        told(rows[-1])
    beside = []
    for pictures in brains:
        with tempfile.TemporaryDirectory(prefix="brain-") as folder:
            beside += ran(Path(folder), "brain", str(pictures))
    for row in beside:
        print("{pictures:>9,} {score:<20} Brain {brain:8.2f} CPU-s, ours {ours:8.2f}".format(**row))
    figures = summary(rows, beside)
    if not given.quick:
        results_file.write("data", figures, [*rows, *beside])
        plot.draw(rows, results_file.FOLDER / "data.png")
    print(json.dumps(figures))


def measured(folder: Path, pictures: int, new: int) -> dict[str, Any]:
    ran(folder, "arrive", "0", str(pictures))
    [first] = ran(folder, "night")
    ran(folder, "arrive", str(pictures), str(new))
    [later] = ran(folder, "night")
    row: dict[str, Any] = {"entries": EACH * pictures, "pictures": pictures, "new": new}
    row |= {f"first_{key}": value for key, value in first.items()}
    row |= later
    return row


def ran(folder: Path, *what: str) -> list[Any]:
    """The JSON lines of a process of its own, so that its peak is its own."""
    environment = os.environ | {"IMAGES": f"{folder}/images", "FEATURES": f"{folder}/features"}
    environment |= {"PULLED": f"{folder}/pulled", "UNTIL": "2100-01-01T00:00:00Z"}
    command = [sys.executable, "-m", "benchmarks.data.pieces", str(folder), *what]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def told(row: dict[str, Any]) -> None:
    first = "{first_cpu:7.1f} CPU-s ({first_wall:.0f} s), {first_gb:.2f} GB".format(**row)
    later = "pull {pull_cpu:6.1f} + mine {mine_cpu:6.1f} CPU-s ({wall:.0f} s), {gb:.2f} GB".format(**row)
    print(f"{row['entries']:>9,} entries: first night {first}; {row['new']:,} new: {later}", flush=True)


def summary(rows: list[dict[str, Any]], beside: list[dict[str, Any]]) -> dict[str, Any]:
    entries, night = (np.log([row[key] for row in rows]) for key in ("entries", "cpu"))
    largest = [row for row in beside if row["pictures"] == max(row["pictures"] for row in beside)]
    ours = sum(row["ours"] for row in largest)
    return {
        "exponent": round(float(np.polyfit(entries, night, 1)[0]), 3),
        "peak_gb": max(row[key] for row in rows for key in ("first_gb", "gb")),
        "brain_ratio": round(sum(row["brain"] for row in largest) / ours, 1),
    }


if __name__ == "__main__":
    main()
