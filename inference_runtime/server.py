"""HTTP in front of the doors: the event loop moves bytes, the workers do the work."""

import asyncio
import logging
import signal
from asyncio import StreamReader, StreamWriter
from http import HTTPStatus

from inference_runtime import admin, public, wire
from inference_runtime.door import Door, Route
from inference_runtime.errors import Fixable
from inference_runtime.service import Service
from inference_runtime.wire import Head, Refusal, Response, busy

HELD_BYTES = 256 << 20
# While a drain begins, connections are still taken, so that a client who did not hear of it is answered.
FAREWELL_SECONDS = 0.2
DRAIN_SECONDS = 25.0

Address = tuple[str, int]

log = logging.getLogger("inference_runtime")


class Server:
    """`token` opens the admin door; without one there is none."""

    def __init__(
        self, service: Service, address: Address, admin_address: Address, token: str | None = None
    ) -> None:
        self._service = service
        self._doors = [Door(*address, public.routes(service, lambda: self._draining))]
        if token:
            self._doors.append(Door(*admin_address, admin.routes(service.roles), token))
        self._held = 0
        self._draining = False
        self._connections: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Serves until SIGTERM or SIGINT, then answers what is under way."""
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listeners = [await self._listening(door) for door in reversed(self._doors)]
        where = " and admin on ".join(_url(one) for one in reversed(listeners))
        log.info("serving %s on %s", self._service.roles.roster.serving.id, where)
        await stop.wait()
        await self._drain(listeners)
        await asyncio.to_thread(self._service.close)

    async def _drain(self, listeners: list[asyncio.Server]) -> None:
        log.info("draining")
        self._draining = True
        await asyncio.sleep(FAREWELL_SECONDS)
        for listener in listeners:
            listener.close()
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=DRAIN_SECONDS)
        for idle in self._connections:
            idle.cancel()

    async def _listening(self, door: Door) -> asyncio.Server:
        async def connected(reader: StreamReader, writer: StreamWriter) -> None:
            await self._connection(door, reader, writer)

        try:
            return await asyncio.start_server(
                connected, door.host, door.port, limit=wire.HEAD_BYTES, backlog=1024
            )
        except OSError as error:
            place, options = f"{door.host}:{door.port}", "--admin-port" if door.token else "--host or --port"
            raise Fixable(f"{place}: {error.strerror or error}; name another {options}") from error

    async def _connection(self, door: Door, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(door, task, reader, writer):
                self._busy.discard(task)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side is gone, and nobody waits for what would be said
        finally:
            self._busy.discard(task)
            self._connections.discard(task)
            writer.close()

    async def _exchange(
        self, door: Door, task: asyncio.Task[None], reader: StreamReader, writer: StreamWriter
    ) -> bool:
        """One request and its answer; whether the connection goes on."""
        try:
            head = await wire.read_head(reader)
            if head is None:
                return False
            self._busy.add(task)
            response = await self._response(door, head, reader, writer)
        except Refusal as refusal:
            await wire.write(writer, refusal.response, keep=False)
            await wire.linger(reader, writer)
            return False
        keep = head.keep and not self._draining
        await wire.write(writer, response, keep, only_head=head.method == "HEAD")
        return keep

    async def _response(self, door: Door, head: Head, reader: StreamReader, writer: StreamWriter) -> Response:
        """Raises a Refusal only while some of the request is unread, for then the connection must end."""
        self._held += head.length
        try:
            route = door.admitted(head)
            if self._held > HELD_BYTES:
                raise busy(f"memory: {HELD_BYTES >> 20} MiB of requests are held")
            body = await wire.read_body(reader, writer, head)
            return await _safely(route, body)
        except Refusal as refusal:
            if head.length:
                raise
            return refusal.response
        finally:
            self._held -= head.length


async def _safely(route: Route, body: bytes) -> Response:
    try:
        return await route(body)
    except Refusal as refusal:
        return refusal.response
    except Exception:
        log.exception("a request failed")
        return Response(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal: the server's log says more"})


def _url(listener: asyncio.Server) -> str:
    host, port = listener.sockets[0].getsockname()[:2]
    return f"http://{host}:{port}"
