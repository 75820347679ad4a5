"""HTTP in front of a service: the event loop moves bytes, the workers do the work."""

import asyncio
import hmac
import logging
import os
import signal
import time
from asyncio import StreamReader, StreamWriter
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from http import HTTPStatus
from pathlib import Path

from inference_runtime import wire
from inference_runtime.errors import Fixable
from inference_runtime.service import Job, Served, Service, object_of, warm_predictor
from inference_runtime.wire import Head, Refusal, Response
from inference_runtime.workers import Full, Workers

BODY_BYTES = 32 << 20
HELD_BYTES = 256 << 20
CAPACITY = 256
# An answer waits this long for its journal entry; a disk that hangs must not hold it back for ever.
JOURNAL_SECONDS = 1.0
NOTICE_SECONDS = 60.0
# While a drain begins, connections are still taken, so that a client who did not hear of it is answered.
FAREWELL_SECONDS = 0.2
DRAIN_SECONDS = 25.0

log = logging.getLogger("inference_runtime")

Route = Callable[[bytes], Awaitable[Response]]


class Server:
    """`token` opens the admin route; without one it stays shut."""

    def __init__(self, service: Service, threads: int, token: str | None = None) -> None:
        self._service = service
        self._workers: Workers[Job] = Workers(service.work, threads, CAPACITY)
        self._token = token
        self._routes: dict[str, tuple[str, Route]] = {
            "/v1/predict": ("POST", self._predict),
            "/v1/models": ("GET", self._models),
            "/healthz": ("GET", self._healthz),
            "/readyz": ("GET", self._readyz),
            "/admin/bundles": ("POST", self._admin_bundles),
        }
        self._requests = 0
        self._held = 0
        self._noticed = -NOTICE_SECONDS
        self._draining = False
        self._swapping = asyncio.Lock()
        self._connections: set[asyncio.Task[None]] = set()
        self._busy: set[asyncio.Task[None]] = set()

    async def run(self, host: str, port: int) -> None:
        """Serves until SIGTERM or SIGINT, then answers what is under way."""
        listener = await _listening(self._connection, host, port)
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        bound = listener.sockets[0].getsockname()[1]
        log.info("serving %s on http://%s:%d", self._service.serving.predictor.bundle.id, host, bound)
        await stop.wait()
        await self._drain(listener)
        await asyncio.to_thread(self._workers.close)

    async def _drain(self, listener: asyncio.Server) -> None:
        log.info("draining")
        self._draining = True
        await asyncio.sleep(FAREWELL_SECONDS)
        listener.close()
        if self._busy:
            await asyncio.wait(set(self._busy), timeout=DRAIN_SECONDS)
        for idle in self._connections:
            idle.cancel()

    async def _connection(self, reader: StreamReader, writer: StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        try:
            while await self._exchange(task, reader, writer):
                self._busy.discard(task)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the other side is gone, and nobody waits for what would be said
        finally:
            self._busy.discard(task)
            self._connections.discard(task)
            writer.close()

    async def _exchange(self, task: asyncio.Task[None], reader: StreamReader, writer: StreamWriter) -> bool:
        """One request and its answer; whether the connection goes on."""
        try:
            head = await wire.read_head(reader)
            if head is None:
                return False
            self._busy.add(task)
            response = await self._response(head, reader, writer)
        except Refusal as refusal:
            await wire.write(writer, refusal.response, keep=False)
            await wire.linger(reader, writer)
            return False
        keep = head.keep and not self._draining
        await wire.write(writer, response, keep, only_head=head.method == "HEAD")
        return keep

    async def _response(self, head: Head, reader: StreamReader, writer: StreamWriter) -> Response:
        """Raises a Refusal only while some of the request is unread, for then the connection must end."""
        self._held += head.length
        try:
            route = self._admitted(head)
            body = await wire.read_body(reader, writer, head)
            return await _safely(route, body)
        except Refusal as refusal:
            if head.length:
                raise
            return refusal.response
        finally:
            self._held -= head.length

    def _admitted(self, head: Head) -> Route:
        """Everything that can be refused before the body is read."""
        method, route = self._routes.get(head.path, ("", self._healthz))
        if not method:
            raise Refusal(HTTPStatus.NOT_FOUND, f"{head.path[:100]}: no such route")
        if head.method != method and (head.method, method) != ("HEAD", "GET"):
            reason = f"{head.path}: takes {method}, not {head.method[:20]}"
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, reason, {"Allow": method})
        if head.path.startswith("/admin/"):
            self._authorise(head)
        if head.length > BODY_BYTES:
            reason = f"body: {head.length} bytes are over the limit of {BODY_BYTES >> 20} MiB"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        if self._held > HELD_BYTES:
            raise _busy(f"memory: {HELD_BYTES >> 20} MiB of requests are held")
        return route

    def _authorise(self, head: Head) -> None:
        given = head.headers.get("authorization", "")
        wanted = f"Bearer {self._token}"
        if self._token is None:
            raise Refusal(HTTPStatus.UNAUTHORIZED, "admin: shut; start it with RUNTIME_ADMIN_TOKEN set")
        if not hmac.compare_digest(given.encode(), wanted.encode()):
            reason = "admin: send Authorization: Bearer <RUNTIME_ADMIN_TOKEN>"
            raise Refusal(HTTPStatus.UNAUTHORIZED, reason, {"WWW-Authenticate": "Bearer"})

    async def _predict(self, body: bytes) -> Response:
        self._requests += 1
        job = Job(body)
        job.done.set_running_or_notify_cancel()  # a connection that ends must not undo a worker's answer
        try:
            self._workers.offer(job)
        except Full as error:
            raise _busy("queue: full") from error
        served = await asyncio.wrap_future(job.done)
        if isinstance(served, Refusal):
            raise served
        await self._journalled(served.journalled)
        return Response(HTTPStatus.OK, _answer(served))

    async def _journalled(self, entry: Future[str]) -> None:
        wrapped = asyncio.wrap_future(entry)
        wrapped.add_done_callback(self._notice)
        await asyncio.wait({wrapped}, timeout=JOURNAL_SECONDS)

    def _notice(self, entry: asyncio.Future[str]) -> None:
        if entry.cancelled() or (error := entry.exception()) is None:
            return
        if time.monotonic() - self._noticed >= NOTICE_SECONDS:
            self._noticed = time.monotonic()
            log.warning("journal: sheds (%s), %d so far; free its disk", error, self._service.journal.shed)

    async def _models(self, body: bytes) -> Response:
        serving, journal = self._service.serving, self._service.journal
        bundle = serving.predictor.bundle
        return Response(
            HTTPStatus.OK,
            {
                "bundle": bundle.id,
                "version": bundle.version,
                "classes": bundle.classes,
                "engine": serving.predictor.engine,
                "since": serving.since,
                "pid": os.getpid(),
                "requests": self._requests,
                "journal": {"written": journal.written, "shed": journal.shed},
            },
        )

    async def _healthz(self, body: bytes) -> Response:
        return Response(HTTPStatus.OK, {"status": "alive"})

    async def _readyz(self, body: bytes) -> Response:
        if self._draining:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "draining"})
        return Response(HTTPStatus.OK, {"status": "ready"})

    async def _admin_bundles(self, body: bytes) -> Response:
        folder = object_of(body).get("path")
        if not isinstance(folder, str) or not folder or "\0" in folder:
            raise Refusal(HTTPStatus.BAD_REQUEST, "path: missing, or not the name of a folder")
        async with self._swapping:
            before = self._service.serving.predictor.bundle
            try:
                predictor = await asyncio.to_thread(warm_predictor, Path(folder))
            except Fixable as error:
                raise Refusal(HTTPStatus.CONFLICT, str(error)) from error
            self._service.serve(predictor)
        log.info("serving %s instead of %s", predictor.bundle.id, before.id)
        return Response(HTTPStatus.OK, {"bundle": predictor.bundle.id, "before": before.id})


def _answer(served: Served) -> dict[str, str | float]:
    answer = served.answer
    return {"p": answer.p, "label": served.label, "image": answer.image, "bundle": answer.bundle}


def _busy(reason: str) -> Refusal:
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"{reason}; try again in a second", {"Retry-After": "1"})


async def _safely(route: Route, body: bytes) -> Response:
    try:
        return await route(body)
    except Refusal as refusal:
        return refusal.response
    except Exception:
        log.exception("a request failed")
        return Response(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal: the server's log says more"})


async def _listening(
    connection: Callable[[StreamReader, StreamWriter], Awaitable[None]], host: str, port: int
) -> asyncio.Server:
    try:
        return await asyncio.start_server(connection, host, port, limit=wire.HEAD_BYTES, backlog=1024)
    except OSError as error:
        raise Fixable(f"{host}:{port}: {error.strerror or error}; name another --host or --port") from error
