"""Pieces of the benchmark, each in a process of its own: python -m benchmarks.data.pieces FOLDER WHAT ..."""

import json
import os
import resource
import sys
import time
from pathlib import Path

from benchmarks.data import brain, city
from pipeline import params, stages
from pipeline.params import Params

ROOT = Path(__file__).parents[2]


def main(folder: Path, what: str, *numbers: str) -> None:
    settings = params.load(ROOT / "params.yaml")
    match what:
        case "arrive":
            city.arrive(folder, settings.backbone, *map(int, numbers))
        case "night":
            print(json.dumps(night(folder, settings)))
        case "brain":
            for row in brain.beside(folder, *map(int, numbers)):
                print(json.dumps(row), flush=True)


def night(folder: Path, settings: Params) -> dict[str, float]:
    os.chdir(folder)
    pull = settings.pull.model_copy(update={"journal": "journal", "base": "base", "gold": "gold"})
    people = settings.people.model_copy(update={"dataset": None, "labels": "labels"})
    settings = settings.model_copy(update={"pull": pull, "people": people})
    found = {}
    began, used = time.monotonic(), spent()
    for stage in ("pull", "mine"):
        before = spent()
        stages.run(stage, settings, Path("artifacts"))
        found[f"{stage}_cpu"] = round(spent() - before, 2)
    found |= {"cpu": round(spent() - used, 2), "wall": round(time.monotonic() - began, 2)}
    return found | {"gb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)}


def spent() -> float:
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
