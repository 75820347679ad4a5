"""HTTP in front of the doors: the event loop reads, the workers do the work and answer."""

import asyncio
import logging
import signal
from dataclasses import dataclass

from inference_runtime import admin, memory, public
from inference_runtime.connection import Connection
from inference_runtime.door import Door
from inference_runtime.errors import Fixable
from inference_runtime.exchange import LONGEST_MS
from inference_runtime.service import Service
from inference_runtime.traffic import Traffic

# While a drain begins, connections are still taken, so that a client who did not hear of it is answered.
FAREWELL_SECONDS = 0.2
DRAIN_SECONDS = 25.0
LOOK_SECONDS = 0.02

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class Settings:
    """Where it listens and what it holds. Without a token there is no admin door."""

    host: str = "127.0.0.1"
    port: int = 8072
    admin_host: str = "127.0.0.1"
    admin_port: int = 8073
    token: str | None = None
    deadline_ms: int = 10_000
    held_bytes: int = 256 << 20


class Server:
    def __init__(self, service: Service, settings: Settings) -> None:
        self._service = service
        self._settings = settings

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then answers what is under way."""
        loop, stop = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        traffic = Traffic(loop, self._settings.held_bytes, self._service.watch, self._service.metrics)
        listeners = [await _listening(door, traffic) for door in self._doors(traffic)]
        where = " and admin on ".join(_url(one) for one in listeners)
        log.info("serving %s on %s", self._service.roles.roster.serving.id, where)
        memory.settle()
        await stop.wait()
        await self._drain(traffic, listeners)

    def _doors(self, traffic: Traffic) -> list[Door]:
        given = self._settings
        routes = public.routes(self._service, traffic)
        doors = [Door(given.host, given.port, routes, given.deadline_ms / 1000)]
        if given.token:
            orders = admin.routes(self._service.roles)
            doors.append(Door(given.admin_host, given.admin_port, orders, LONGEST_MS / 1000, given.token))
        return doors

    async def _drain(self, traffic: Traffic, listeners: list[asyncio.Server]) -> None:
        log.info("draining")
        traffic.draining = True
        await asyncio.sleep(FAREWELL_SECONDS)
        for listener in listeners:
            listener.close()
        for _ in range(int(DRAIN_SECONDS / LOOK_SECONDS)):
            if not traffic.busy():
                break
            await asyncio.sleep(LOOK_SECONDS)
        await asyncio.to_thread(self._service.close)
        traffic.stop()


async def _listening(door: Door, traffic: Traffic) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    try:
        return await loop.create_server(lambda: Connection(door, traffic), door.host, door.port, backlog=1024)
    except OSError as error:
        place, options = f"{door.host}:{door.port}", "--admin-port" if door.token else "--host or --port"
        raise Fixable(f"{place}: {error.strerror or error}; name another {options}") from error


def _url(listener: asyncio.Server) -> str:
    host, port = listener.sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"
