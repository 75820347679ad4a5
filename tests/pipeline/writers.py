"""Rounds of two writers on one feature cache, killed at random moments and run again; a JSON line each.

python writers.py FOLDER ROUNDS: the last line is of a round that nobody disturbs. Every piece runs in a fork
of this process, which uses nothing itself: no thread pool is forked half alive.
"""

import hashlib
import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from pipeline.features import log
from pipeline.features.cache import Cache

VIEWS, CHUNK, WIDTH = 160, 4, 1280
NAMES = [hashlib.sha256(str(number).encode()).hexdigest() for number in range(VIEWS)]
VECTORS = np.random.default_rng(72).normal(size=(VIEWS, WIDTH)).astype(np.float32)
PLACE = {name: row for row, name in enumerate(NAMES)}


def main(folder: Path, rounds: int) -> None:
    for number in range(rounds):
        disturbed(folder / str(number))
    assert ended(forked(lambda: finish(folder / "undisturbed", 0))) == 0


def disturbed(place: Path) -> None:
    children = [forked(lambda order=order: fill(place, order)) for order in (1, -1)]
    enough = random.randrange(VIEWS)
    while rows(place) < enough:
        time.sleep(0.0002)
    time.sleep(random.uniform(0, 0.003))
    for child in children[: random.choice((1, 2))]:
        os.kill(child, signal.SIGKILL)
    at_kill = rows(place)
    assert {ended(child) for child in children} <= {0, -signal.SIGKILL}
    assert ended(forked(lambda: finish(place, at_kill))) == 0


def finish(place: Path, at_kill: int) -> None:
    fill(place, 1)
    with Cache(place) as cache:
        assert cache.missing(views_of(range(VIEWS))).height == 0
        held = hashlib.sha256(cache.read(views_of(range(VIEWS))).tobytes()).hexdigest()
    sizes = [(place / name).stat().st_size for name in ("names", "vectors")]
    print(json.dumps({"held": held, "sizes": sizes, "at_kill": at_kill, "views": VIEWS}), flush=True)


def views_of(numbers: range) -> pl.DataFrame:
    return pl.DataFrame({"image": [NAMES[number] for number in numbers], "view": ["native/0"] * len(numbers)})


def fill(place: Path, order: int) -> None:
    """As the pipeline does it: a chunk at a time, leaving out what another has written meanwhile."""
    with Cache(place) as cache:
        for start in range(0, VIEWS, CHUNK)[::order]:
            views = cache.missing(views_of(range(start, start + CHUNK)))
            cache.write(views, VECTORS[[PLACE[image] for image in views["image"]]])


def forked(do: Callable[[], None]) -> int:
    child = os.fork()
    if child == 0:
        try:
            do()
        except BaseException:  # noqa: BLE001  # the end of a process: reported, and told by its code
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    return child


def rows(place: Path) -> int:
    names = place / "names"
    return max(names.stat().st_size // log.NAME.itemsize - 1, 0) if names.exists() else 0


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
