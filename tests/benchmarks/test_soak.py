"""Only a kill excuses an answer that did not come, however late that is found; who is told to end does so."""

import asyncio
import hashlib
import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.serving.trees import family
from benchmarks.soak.clients import Clients
from benchmarks.soak.ledger import Ledger
from benchmarks.soak.replica import GRACE, Replica

DOWN_SECONDS = 0.1
SERVERS_AND_SHIPS = 4
START_SECONDS = 60.0
TOLD_AT_ONCE = """
import asyncio, os, signal
from benchmarks import ending

async def main():
    asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
    process = await asyncio.create_subprocess_exec("sleep", "3600")
    try:
        await process.wait()
    finally:
        process.kill()

ending.run(main())
"""


@dataclass
class Dying:
    """Answers one request on each connection, and then closes it, as the death of a server does."""

    replica: Replica
    is_killed: bool
    answers: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        length = int(head.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
        image = hashlib.sha256(await reader.readexactly(length)).hexdigest()
        said = json.dumps({"p": 0.5, "bundle": "one", "image": image, "entry": "1"}).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said) + said)
        await writer.drain()
        self.answers += 1
        if self.is_killed:
            now = time.monotonic()
            self.replica.down.append([now, now + DOWN_SECONDS])
        writer.close()


class Steady:
    """A draw without chance: many requests on a connection, and a pause longer than any excuse."""

    def randint(self, low: int, high: int) -> int:
        return high

    def expovariate(self, rate: float) -> float:
        return DOWN_SECONDS + GRACE + 0.3

    def randrange(self, count: int) -> int:
        return 0


def asked(folder: Path, is_killed: bool) -> Ledger:
    async def ask() -> Ledger:
        replica = Replica("one", folder, folder)
        ledger = Ledger(replica, {"one": [0.5]})
        dying = Dying(replica, is_killed)
        server = await asyncio.start_server(dying.serve, "127.0.0.1", replica.port)
        async with server:
            some = Clients(ledger, [b"\xff\xd8 a picture \xff\xd9"], asyncio.Event(), 2, 0.1)
            draw: Any = Steady()
            some._draw, some._number = draw, 1  # the next one is asked with a raw body
            await some.valid()
        assert dying.answers == 1
        return ledger

    return asyncio.run(ask())


def test_a_kill_that_is_found_after_a_pause_is_a_kill(tmp_path: Path) -> None:
    assert asked(tmp_path, is_killed=True).counts == {"right": 1, "lost in a kill": 1}


def test_a_connection_that_ends_without_a_kill_is_a_fault(tmp_path: Path) -> None:
    ledger = asked(tmp_path, is_killed=False)
    assert ledger.counts == {"right": 1, "dropped": 1} and len(ledger.faults) == 1


def test_told_to_end_it_leaves_no_server_behind() -> None:
    soak = subprocess.Popen([sys.executable, "-m", "benchmarks.soak", "--quick"], stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + START_SECONDS
        while len(started := family(soak.pid)[1:]) < SERVERS_AND_SHIPS and time.monotonic() < end:
            time.sleep(0.05)
        soak.terminate()
        assert soak.wait(START_SECONDS) == 128 + signal.SIGTERM
    finally:
        soak.kill()
    assert len(started) >= SERVERS_AND_SHIPS
    assert not [pid for pid in started if Path(f"/proc/{pid}/cmdline").exists()]


def test_told_to_end_as_it_starts_a_server_it_ends() -> None:
    """asyncio waits for ever for a process whose beginning was cut off by an exception.

    The output that is read to its end shows that the process is gone: it holds the other end.
    """
    command = [sys.executable, "-c", TOLD_AT_ONCE]
    done = subprocess.run(command, stdout=subprocess.PIPE, timeout=START_SECONDS)
    assert done.returncode == 128 + signal.SIGTERM
