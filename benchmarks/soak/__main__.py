"""Mixed load on two servers while bundles are swapped, one server and both ships are killed.

python -m benchmarks.soak [--minutes 30] [--quick]

Valid, slow, oversized, malformed and cancelled requests, and bursts over capacity; a swap every 20 s;
`kill -9` of one server every minute (the other lives on, its memory is watched) and of both ships at
random. At the end everything that was promised is looked for in the stores.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import ending, results_file
from benchmarks.serving import models, pictures
from benchmarks.serving.table import rounded
from benchmarks.soak import report, trouble
from benchmarks.soak.clients import Clients
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.replica import Replica
from benchmarks.soak.trouble import Pace, Watch
from inference_runtime.bundle import load
from inference_runtime.predictor import Answer, Predictor

SEEDS = (72, 73, 74)
CLIENTS = 4
PAUSE = 0.25
BURST = 400
PICTURES = 12
SHRINK = 3  # small pictures: half an hour of them must fit on a disk twice
SAY_SECONDS = 60.0
QUICK = Pace(whole=18, swap=3, kill=6, ship_kill=3, burst=6)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--quick", action="store_true", help="half a minute, in quicker succession")
    given = parser.parse_args()
    ending.gracefully()
    pace = QUICK if given.quick else Pace(given.minutes * 60, swap=20, kill=60, ship_kill=14, burst=45)
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        ledgers, watch, statuses = ending.run(_soak(Path(folder), pace))
        kept = {ledger.replica.name: ledger.kept() for ledger in ledgers}
        # Before the folder goes: that takes a while.
        report.show(ledgers, kept)
    figures = rounded(report.figures(ledgers, kept, watch) | {"minutes": pace.whole / 60, "exits": statuses})
    if not given.quick:
        results_file.write("soak", figures, report.rows(ledgers, kept, watch))
        report.plot(watch, ledgers, results_file.FOLDER / "soak.png")
    print(json.dumps(figures))


async def _soak(folder: Path, pace: Pace) -> tuple[list[Ledger], Watch, list[int]]:
    files = pictures.write(folder / "pictures", PICTURES, shrink=SHRINK)
    jpegs = [file.read_bytes() for file in files]
    bundles = [models.sealed("nano", folder / "bundles", seed) for seed in SEEDS]
    wanted = dict(_answers(bundle, jpegs) for bundle in bundles)
    replicas = [Replica(name, _made(folder / name), bundles[0]) for name in ("steady", "killed")]
    ledgers = [Ledger(replica, wanted) for replica in replicas]
    try:
        return await _tormented(ledgers, jpegs, bundles, pace)
    finally:
        for replica in replicas:
            replica.end()


async def _tormented(
    ledgers: list[Ledger], jpegs: Sequence[bytes], bundles: Sequence[Path], pace: Pace
) -> tuple[list[Ledger], Watch, list[int]]:
    replicas = [ledger.replica for ledger in ledgers]
    over, watch = asyncio.Event(), Watch()
    async with asyncio.TaskGroup() as group:
        ups = [asyncio.Event() for _ in replicas]
        for replica, up in zip(replicas, ups, strict=True):
            group.create_task(replica.supervise(up))
            group.create_task(replica.keep_shipping())
            await up.wait()
        group.create_task(watch.memory(replicas, over))
        group.create_task(trouble.kill_server(replicas[1], pace.kill, over))
        for n, ledger in enumerate(ledgers):
            group.create_task(trouble.swap(ledger, bundles, pace.swap, over))
            group.create_task(trouble.kill_ship(ledger.replica, pace.ship_kill, n, over))
        asking = [
            group.create_task(one)
            for n, ledger in enumerate(ledgers)
            for one in Clients(ledger, jpegs, over, n + 1, PAUSE).all(CLIENTS, BURST, pace.burst)
        ]
        await _wait(pace.whole, ledgers)
        over.set()
        await asyncio.wait(asking)
        statuses = [await replica.stop() for replica in replicas]
    return ledgers, watch, statuses


async def _wait(seconds: float, ledgers: Sequence[Ledger]) -> None:
    end = time.monotonic() + seconds
    while (rest := end - time.monotonic()) > 0:
        await asyncio.sleep(min(SAY_SECONDS, rest))
        said = "; ".join(f"{one.replica.name} {dict(one.counts)}" for one in ledgers)
        print(f"{rest / 60:.0f} min left: {said}", file=sys.stderr, flush=True)


def _answers(bundle: Path, jpegs: Sequence[bytes]) -> tuple[str, list[float]]:
    predictor = Predictor(load(bundle), threads=1)
    answers = predictor.predict(jpegs)
    return predictor.bundle.id, [answer.p for answer in answers if isinstance(answer, Answer)]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


if __name__ == "__main__":
    main()
