"""This runtime beside other servers: the same model, pictures, machine and run.

python -m benchmarks.serving [--quick | --tails]

Peers are LitServe, BentoML, Ray Serve, mosec and FastAPI, each in three dresses: as its first page teaches,
tuned, and tuned with this runtime's preprocessing.
Every request differs in bytes and every answer is checked. The peers' environments are made at the first run.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import ending, results_file
from benchmarks.serving import environments, plot, race, table, tails
from benchmarks.serving.plans import FULL, QUICK, TAILS, Plan


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    shorter = parser.add_mutually_exclusive_group()
    shorter.add_argument("--quick", action="store_true", help="two peers, three cells, one round")
    shorter.add_argument(
        "--tails",
        action="store_true",
        help="its last part alone: p99s beside the two nearest peers, told apart",
    )
    given = parser.parse_args()
    ending.gracefully()
    plan = QUICK if given.quick else TAILS if given.tails else FULL
    for peer in ("runtime", *plan.peers):
        environments.interpreter(peer)
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        figures = (_tails if given.tails else _race)(plan, Path(folder))
    print(json.dumps(figures))


def _race(plan: Plan, folder: Path) -> dict[str, Any]:
    rows, alone = race.run(plan, folder)
    found = table.lines(rows)
    table.show(found, alone)
    longer: dict[str, Any] = _tails(plan.tails, folder) if plan.tails else {"failed": 0}
    figures = table.rounded(table.figures(found, alone, longer))
    figures["failed"] += longer["failed"]
    if plan.tails:
        results_file.write("serving", figures, table.records(found, alone))
        plot.draw(found, alone, results_file.FOLDER / "serving.png")
    return figures


def _tails(plan: Plan, folder: Path) -> dict[str, Any]:
    rows, alone = race.run(plan, folder)
    found = table.lines(rows)
    table.show(found, alone)
    ratios = tails.ratios(rows, plan.cells)
    figures = {**ratios, "failed": sum(row.failed for row in rows)}
    results_file.write("tails", figures, table.records(found, alone))
    tails.draw(ratios, results_file.FOLDER / "tails.png")
    return figures


if __name__ == "__main__":
    main()
