"""This runtime beside other servers: the same model, pictures, machine and run.

python -m benchmarks.serving [--quick]

Peers are LitServe, BentoML, Ray Serve, mosec and FastAPI, each in three dresses: as its first page teaches,
tuned, and tuned with this runtime's preprocessing.
Every request differs in bytes and every answer is checked. The peers' environments are made at the first run.
"""

import argparse
import json
import tempfile
from pathlib import Path

from benchmarks import results_file
from benchmarks.serving import environments, plot, race, table
from benchmarks.serving.plans import FULL, QUICK


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="two peers, three cells, one round")
    given = parser.parse_args()
    plan = QUICK if given.quick else FULL
    for peer in ("runtime", *plan.peers):
        environments.interpreter(peer)
    with tempfile.TemporaryDirectory(prefix="serving-") as folder:
        rows, alone = race.run(plan, Path(folder))
    found = table.lines(rows)
    table.show(found, alone)
    figures = table.rounded(table.figures(found, alone))
    if not given.quick:
        results_file.write("serving", figures, table.records(found, alone))
        plot.draw(found, alone, results_file.FOLDER / "serving.png")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
