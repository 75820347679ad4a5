"""A server under a supervisor, its journal, and the ship that takes the journal to a store."""

import asyncio
import os
import signal
import socket
import sys
import time
from asyncio.subprocess import Process
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.serving.places import ROOT
from benchmarks.serving.trees import family, proportional_mib
from benchmarks.soak.wire import Connection

TOKEN = "soak"
# What a kill undoes may be noticed by a client a moment before or after the supervisor sees it.
GRACE = 0.5
SEGMENT_SECONDS = "10"


@dataclass
class Replica:
    """`down` holds from when to when it was not there."""

    name: str
    folder: Path
    bundle: Path
    port: int = field(default_factory=lambda: _free_port())
    admin_port: int = field(default_factory=lambda: _free_port())
    down: list[list[float]] = field(default_factory=list)
    kills: int = 0
    ship_kills: int = 0
    exits: list[int] = field(default_factory=list)
    _server: Process | None = None
    _ship: Process | None = None
    _over: bool = False

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    @property
    def store(self) -> Path:
        return self.folder / "store"

    async def supervise(self, up: asyncio.Event) -> None:
        """Starts the server again whenever it ends, until `stop`."""
        while not self._over:
            self._server = await self._start("serve", *self._serve_flags())
            await self._wait_until_ready()
            if self.down:
                self.down[-1][1] = time.monotonic()
            up.set()
            status = await self._server.wait()
            self.exits.append(status)
            self.down.append([time.monotonic(), float("inf")])

    async def keep_shipping(self) -> None:
        while not self._over:
            self.journal.mkdir(parents=True, exist_ok=True)
            self._ship = await self._start("ship", *self._ship_flags(), "--follow", "--every", "1")
            await self._ship.wait()
            await asyncio.sleep(0.2)

    def kill(self) -> None:
        if self._server and self._server.returncode is None:
            self.kills += 1
            self._server.kill()

    def kill_ship(self) -> None:
        if self._ship and self._ship.returncode is None:
            self.ship_kills += 1
            self._ship.kill()

    def end(self) -> None:
        """At once; nothing happens after `stop`."""
        for process in (self._server, self._ship):
            if process and process.returncode is None:
                process.kill()

    async def stop(self) -> int:
        """A graceful end, and all that waits shipped; the server's exit status."""
        self._over = True
        for process in (self._server, self._ship):
            if process and process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await process.wait()
        last = await self._start("ship", *self._ship_flags())
        if await last.wait():
            raise RuntimeError(f"the last ship failed; see {self.folder}/ship.log")
        assert self._server
        return self._server.returncode or 0

    def was_down(self, since: float, until: float) -> bool:
        return any(since - GRACE <= end and begin - GRACE <= until for begin, end in self.down)

    def mib(self) -> float:
        alive = self._server and self._server.returncode is None
        return proportional_mib(family(self._server.pid)) if self._server and alive else float("nan")

    def _serve_flags(self) -> list[str]:
        ports = ["--port", str(self.port), "--admin-port", str(self.admin_port)]
        kept = ["--journal", str(self.journal), "--journal-segment-seconds", SEGMENT_SECONDS]
        return ["--bundle", str(self.bundle), *ports, *kept]

    def _ship_flags(self) -> list[str]:
        return ["--journal", str(self.journal), "--store", str(self.store)]

    async def _start(self, command: str, *flags: str) -> Process:
        with (self.folder / f"{command}.log").open("ab") as log:
            return await asyncio.create_subprocess_exec(
                sys.executable, "-m", "inference_runtime", command, *flags,
                cwd=ROOT, env=os.environ | {"RUNTIME_ADMIN_TOKEN": TOKEN}, stdout=log, stderr=log,
            )  # fmt: skip

    async def _wait_until_ready(self) -> None:
        assert self._server
        while self._server.returncode is None:
            try:
                async with Connection(self.port) as connection:
                    if (await connection.ask("GET", "/readyz"))[0] == 200:
                        return
            except (OSError, EOFError):
                await asyncio.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])
