"""The order of the race: each server alone, then all of them in turn, cell by cell and round by round."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.serving.entrants import Entrant, entrant, journalling, runtime
from benchmarks.serving.plans import EVERY, HEADLINE, Cell, Plan
from benchmarks.serving.track import Row, Track

# A cluster works also when nobody asks: it runs only while it is measured.
RESTLESS = ("ray",)


@dataclass(frozen=True)
class Alone:
    """What a server needs by itself: until its first right answer, and after load."""

    title: str
    name: str
    dress: str
    start_s: float
    mib: float
    rps: float


def run(plan: Plan, folder: Path) -> tuple[list[Row], list[Alone]]:
    nano = Track(folder, plan, "nano")
    try:
        rows, alone = _each_alone(nano, plan)
        slowest = min(one.rps for one in alone if one.dress == "tuned")
        for round in range(plan.rounds):
            _say(f"round {round + 1} of {plan.rounds}")
            rows += _round(nano, _entrants(plan, plan.dresses), plan.cells, round, slowest)
    finally:
        nano.close()
    return rows + _model_bound(plan, folder), alone


def _entrants(plan: Plan, dresses: Sequence[str]) -> list[Entrant]:
    return [runtime(), *(entrant(peer, dress) for dress in dresses for peer in plan.peers)]


def _each_alone(track: Track, plan: Plan) -> tuple[list[Row], list[Alone]]:
    """The rows are of those that do not race: they are only here to be seen beside the others."""
    rows, alone = [], []
    for racer in [*_entrants(plan, EVERY), journalling()]:
        _say(f"alone: {racer.title}")
        runs = [_alone(track, racer) for _ in range(plan.starts)]
        start_s, mib = median(one[1] for one in runs), median(one[2] for one in runs)
        rows += [one[0] for one in runs if racer.dress in ("first page", "journalling")]
        rps = median(one[0].rps for one in runs)
        alone.append(Alone(racer.title, racer.name, racer.dress, start_s, mib, rps))
    return rows, alone


def _alone(track: Track, racer: Entrant) -> tuple[Row, float, float]:
    with track.serving(racer) as server:
        row = track.measure(server, HEADLINE)
        return row, server.start_s, server.mib()


def _round(
    track: Track, racers: Sequence[Entrant], cells: Sequence[Cell], round: int, slowest: float
) -> list[Row]:
    rows = []
    with ExitStack() as running:
        servers = [running.enter_context(track.serving(one)) for one in racers if one.peer not in RESTLESS]
        for place, cell in enumerate(cells):
            # Whoever was first is last in another cell: what the machine does meanwhile meets each of them.
            turn = (place + round) % len(servers)
            rows += [track.measure(one, cell, round, slowest) for one in servers[turn:] + servers[:turn]]
    for racer in racers:
        if racer.peer in RESTLESS:
            with track.serving(racer) as server:
                rows += [track.measure(server, cell, round, slowest) for cell in cells]
    return rows


def _model_bound(plan: Plan, folder: Path) -> list[Row]:
    if not plan.model_rounds:
        return []
    _say("a model that dominates the server")
    track = Track(folder, plan, "vit_tiny")
    try:
        calm = [one for one in _entrants(plan, plan.dresses) if one.peer not in RESTLESS]
        return [
            row for round in range(plan.model_rounds) for row in _round(track, calm, [HEADLINE], round, 0.0)
        ]
    finally:
        track.close()


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
