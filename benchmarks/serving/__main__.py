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

from benchmarks import results_file
from benchmarks.serving import environments, plot, race, table, tails
from benchmarks.serving.plans import FULL, QUICK, TAILS


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    shorter = parser.add_mutually_exclusive_group()
    shorter.add_argument("--quick", action="store_true", help="two peers, three cells, one round")
    shorter.add_argument("--tails", action="store_true", help="p99s beside the two nearest peers, told apart")
    given = parser.parse_args()
    plan = QUICK if given.quick else TAILS if given.tails else FULL
    for peer in ("runtime", *plan.peers):
        environments.interpreter(peer)
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        rows, alone = race.run(plan, Path(folder))
    found = table.lines(rows)
    table.show(found, alone)
    if given.tails:
        figures = tails.figures(rows, plan.cells)
        results_file.write("tails", figures, table.records(found, alone))
        tails.draw(figures, results_file.FOLDER / "tails.png")
        print(json.dumps(figures))
        return
    figures = table.rounded(table.figures(found, alone))
    if not given.quick:
        results_file.write("serving", figures, table.records(found, alone))
        plot.draw(found, alone, results_file.FOLDER / "serving.png")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
