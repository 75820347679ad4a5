"""Those who make trouble on time: swaps, kills, and the one who watches memory."""

import asyncio
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from benchmarks.soak.ledger import Ledger
from benchmarks.soak.replica import TOKEN, Replica
from benchmarks.soak.wire import Connection

WATCH_SECONDS = 1.0


@dataclass(frozen=True)
class Pace:
    """Seconds of the whole, and between two of a kind."""

    whole: float
    swap: float
    kill: float
    ship_kill: float
    burst: float


@dataclass
class Watch:
    """(seconds since the start, MiB) of every replica."""

    began: float = field(default_factory=time.monotonic)
    seen: dict[str, list[tuple[float, float]]] = field(default_factory=dict)

    async def memory(self, replicas: Sequence[Replica], over: asyncio.Event) -> None:
        while await _pause(WATCH_SECONDS, over):
            for replica in replicas:
                point = time.monotonic() - self.began, replica.mib()
                self.seen.setdefault(replica.name, []).append(point)


async def swap(ledger: Ledger, bundles: Sequence[Path], pause: float, over: asyncio.Event) -> None:
    turns = cycle([*bundles[1:], bundles[0]])
    while await _pause(pause, over):
        asked, body = time.monotonic(), json.dumps({"path": str(next(turns))}).encode()
        try:
            async with Connection(ledger.replica.admin_port) as connection:
                status, said = await connection.ask("POST", "/admin/bundles", body, TOKEN)
            ledger.counts["swaps" if status == 200 else "swaps refused"] += 1
            if status != 200:
                ledger.faults.append(f"{ledger.replica.name}: swap: {status} {said}"[:300])
        except (OSError, EOFError) as error:
            await asyncio.sleep(1.0)
            if not ledger.replica.was_down(asked, time.monotonic() - 1.0):
                ledger.faults.append(f"{ledger.replica.name}: swap: {error!r}")


async def kill_server(replica: Replica, pause: float, over: asyncio.Event) -> None:
    while await _pause(pause, over):
        replica.kill()


async def kill_ship(replica: Replica, pause: float, seed: int, over: asyncio.Event) -> None:
    draw = random.Random(seed)
    while await _pause(draw.uniform(0.2, 1.8) * pause, over):
        replica.kill_ship()


async def _pause(seconds: float, over: asyncio.Event) -> bool:
    """Whether it goes on after that."""
    try:
        await asyncio.wait_for(over.wait(), seconds)
    except TimeoutError:
        return True
    return False
