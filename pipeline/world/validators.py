"""Simulated validators: fresh scenes, sent to a runtime as challenges, remembered with their truth."""

import json
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from pipeline import challenge, images
from pipeline.challenge import Pixels
from pipeline.progress import Progress
from pipeline.world.asking import Asker
from pipeline.world.paint import paint
from pipeline.world.scene import Scene, scene, tags

PROFILE = "2026-01"
THREADS = 4

# A crop shows roadwork when more pixels than this differ clearly from the same street without it.
_NOTICED = 20
_CLEARLY = 24


@dataclass(frozen=True)
class Challenge:
    number: int
    data: bytes
    label: int
    seen: int  # whether the crop still shows the roadwork: what a person can go by
    tags: list[str]


@dataclass(frozen=True)
class Line:
    """What the truth ledger holds of a challenge."""

    number: int
    image: str
    label: int
    seen: int
    tags: list[str]
    p: float
    at: str


def play(
    url: str, count: int, seed: int, truth: Path, start: int = 0, mix: str = "traffic", threads: int = THREADS
) -> float:
    """Sends challenges `start` to `start + count` of a campaign; what an endless stream of such would earn.

    Number i of a campaign always has the same bytes. The ledger grows in the order of the numbers, a line
    each, so `played` tells where to go on.
    """
    truth.parent.mkdir(parents=True, exist_ok=True)
    _drop_unfinished(truth)
    numbers = range(start, start + count)
    lines: list[Line] = []
    with truth.open("a") as ledger:
        for line in Progress(_asked(url, numbers, seed, mix, threads), "world: challenges", count):
            ledger.write(json.dumps(asdict(line)) + "\n")
            ledger.flush()
            lines.append(line)
    if not lines:
        return 0.0
    return challenge.expected_reward([line.label for line in lines], [line.p for line in lines])


def played(truth: Path) -> int:
    """How many challenges the ledger holds: where a campaign goes on."""
    return truth.read_bytes().count(b"\n") if truth.exists() else 0


def nth(seed: int, number: int, mix: str = "traffic") -> Challenge:
    """Challenge `number` of the campaign of this seed."""
    drawn = scene(challenge.seed_of(str(seed), f"challenge/{number}"), mix=mix)
    view_seed = challenge.seed_of(str(seed), f"view/{number}")
    view = challenge.view(paint(drawn), PROFILE, view_seed)
    named = [*tags(drawn), f"level-{challenge.level_of(view_seed)}"]
    return Challenge(number, challenge.encode(view), drawn.label, int(_seen(drawn, view, view_seed)), named)


def _drop_unfinished(truth: Path) -> None:
    """A kill may have cut the last line short; its challenge will be sent again."""
    if truth.exists():
        os.truncate(truth, truth.read_bytes().rfind(b"\n") + 1)


def _seen(drawn: Scene, view: Pixels, view_seed: int) -> bool:
    if not drawn.works:
        return False
    return shows(view, challenge.view(paint(replace(drawn, works=())), PROFILE, view_seed))


def shows(view: Pixels, bare: Pixels) -> bool:
    """Whether a view tells apart a street with roadwork and the same street without."""
    difference = np.abs(view.astype(np.int16) - bare).max(axis=2)
    return int((difference > _CLEARLY).sum()) > _NOTICED


def _asked(url: str, numbers: range, seed: int, mix: str, threads: int) -> Iterator[Line]:
    asker = Asker(url)

    def ask(number: int) -> Line:
        one = nth(seed, number, mix)
        p = asker.ask(one.data)
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return Line(number, images.name(one.data), one.label, one.seen, one.tags, p, at)

    pool = ThreadPoolExecutor(threads)
    try:
        yield from pool.map(ask, numbers)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        asker.close()
