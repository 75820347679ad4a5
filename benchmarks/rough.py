"""How servers behave when it gets rough: this runtime beside peers that batch as their pages teach.

python -m benchmarks.rough [--quick]

Good requests among broken ones, requests that nobody waits for any more, a flood, and SIGTERM with work
under way. What was computed for nobody is told by the CPU time that it took.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import ending, results_file
from benchmarks.serving import environments
from benchmarks.serving.entrants import Entrant, entrant, runtime
from benchmarks.serving.pictures import whole
from benchmarks.serving.plans import QUICK
from benchmarks.serving.servers import Server
from benchmarks.serving.table import rounded
from benchmarks.serving.track import Track
from benchmarks.soak.wire import Connection, head

PEERS = ("mosec", "litserve")
GOOD, BROKEN = 60, 4
ABANDONED = 48
FLOOD = 400
UNDER_WAY = 16
SETTLE_SECONDS = 3.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rough", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one peer")
    given = parser.parse_args()
    ending.gracefully()
    racers = [runtime(), *(entrant(peer, "batching") for peer in (PEERS[:1] if given.quick else PEERS))]
    for racer in racers:
        environments.interpreter(racer.peer)
    with tempfile.TemporaryDirectory(prefix="rough-") as folder:
        track = Track(Path(folder), QUICK, "nano")
        rows = [_tried(track, racer) for racer in racers]
        track.close()
    _show(rows)
    ours = {key: value for key, value in rows[0].items() if key != "server"}
    if not given.quick:
        results_file.write("rough", ours, rows)
    print(json.dumps(ours))


def _tried(track: Track, racer: Entrant) -> dict[str, Any]:
    with track.serving(racer) as server:
        trial = Trial(server, track.jpegs())
        ending.run(trial.all())
        return rounded({"server": racer.title} | trial.found)


class Trial:
    def __init__(self, server: Server, jpegs: Sequence[bytes]) -> None:
        self._server, self._jpegs = server, jpegs
        self._path = server.entrant.paths["json"]
        self._number = 0
        self.found: dict[str, Any] = {}

    async def all(self) -> None:
        await self.beside_broken()
        await self.abandoned()
        await self.flood()
        await self.drain()

    async def beside_broken(self) -> None:
        jpeg = self._jpegs[0]
        broken = [jpeg[: len(jpeg) // 2], b"no picture", jpeg[:100], bytes(1000)][:BROKEN]
        bodies = [self._body() for _ in range(GOOD)]
        for n, data in enumerate(broken):
            bodies.insert((n + 1) * GOOD // (BROKEN + 1), whole(b"\xff\xd8" + data[2:], "json", 0))
        answers = await asyncio.gather(*map(self._ask, bodies))
        good = [status for body, status in zip(bodies, answers, strict=True) if len(body) > len(jpeg)]
        bad = [status for body, status in zip(bodies, answers, strict=True) if len(body) <= len(jpeg)]
        self.found |= {
            "good_failed_beside_broken": sum(status != 200 for status in good),
            "broken_answered": _told(bad),
        }

    async def abandoned(self) -> None:
        """By CPU: what the same number costs when everybody waits, against when nobody does."""
        began = self._server.cpu()
        await asyncio.gather(*(self._ask(self._body()) for _ in range(ABANDONED)))
        waited = self._server.cpu() - began
        began = self._server.cpu()
        await asyncio.gather(*(self._leave(self._body()) for _ in range(ABANDONED)))
        await asyncio.sleep(SETTLE_SECONDS)
        self.found["abandoned_still_computed"] = min(1.0, (self._server.cpu() - began) / waited)

    async def flood(self) -> None:
        before, began = self._server.mib(), time.monotonic()
        asking = [asyncio.create_task(self._ask(self._body())) for _ in range(FLOOD)]
        peak = before
        while not all(task.done() for task in asking):
            peak = max(peak, self._server.mib())
            await asyncio.sleep(0.1)
        statuses = [task.result() for task in asking]
        self.found |= {
            "flood_answered": _told(statuses),
            "flood_s": time.monotonic() - began,
            "flood_more_mib": peak - before,
        }

    async def drain(self) -> None:
        asking = [asyncio.create_task(self._ask(self._body())) for _ in range(UNDER_WAY)]
        await asyncio.sleep(0.03)
        began = time.monotonic()
        ended = asyncio.create_task(asyncio.to_thread(self._server.end))
        statuses = await asyncio.gather(*asking)
        self.found |= {
            "drain_answered": sum(status == 200 for status in statuses),
            "drain_of": UNDER_WAY,
            "drain_exit": await ended,
            "drain_s": time.monotonic() - began,
        }

    async def _ask(self, body: bytes) -> int:
        """The status; 0 for no answer."""
        try:
            async with Connection(self._server.port) as connection:
                connection.writer.write(
                    head("POST", self._path, len(body), content="application/json") + body
                )
                return await connection.status()
        except (OSError, EOFError):
            return 0

    async def _leave(self, body: bytes) -> None:
        async with Connection(self._server.port) as connection:
            connection.writer.write(head("POST", self._path, len(body), content="application/json") + body)
            await connection.writer.drain()

    def _body(self) -> bytes:
        self._number += 1
        return whole(self._jpegs[self._number % len(self._jpegs)], "json", self._number)


def _told(statuses: Sequence[int]) -> str:
    counted = sorted(Counter(statuses).items())
    return ", ".join(f"{count} x {status or 'nothing'}" for status, count in counted)


def _show(rows: Sequence[dict[str, Any]]) -> None:
    for row in rows:
        lines = {
            "good requests failed beside broken ones": f"{row['good_failed_beside_broken']} of {GOOD}",
            "broken images answered": row["broken_answered"],
            "abandoned work still computed": f"{row['abandoned_still_computed']:.0%}",
            f"flood of {FLOOD}": f"{row['flood_answered']} in {row['flood_s']:.1f} s",
            "memory in the flood": f"+{row['flood_more_mib']:.0f} MiB",
            f"SIGTERM with {UNDER_WAY} under way": f"{row['drain_answered']} of {UNDER_WAY} answered",
            "and then": f"exit {row['drain_exit']} after {row['drain_s']:.1f} s",
        }
        print(f"\n{row['server']}", *(f"  {what:<42}{said}" for what, said in lines.items()), sep="\n")


if __name__ == "__main__":
    main()
