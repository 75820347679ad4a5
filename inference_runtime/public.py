"""The routes that everybody may take."""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from concurrent.futures import Future
from http import HTTPStatus

from inference_runtime.door import Routes
from inference_runtime.service import Job, Served, Service
from inference_runtime.wire import Refusal, Response, busy
from inference_runtime.workers import Full

# An answer waits this long for its journal entry; a disk that hangs must not hold it back for ever.
JOURNAL_SECONDS = 1.0
NOTICE_SECONDS = 60.0

log = logging.getLogger("inference_runtime")


def routes(service: Service, is_draining: Callable[[], bool]) -> Routes:
    public = Public(service, is_draining)
    return {
        "/v1/predict": {"POST": public.predict},
        "/v1/models": {"GET": public.models},
        "/healthz": {"GET": public.healthz},
        "/readyz": {"GET": public.readyz},
    }


class Public:
    def __init__(self, service: Service, is_draining: Callable[[], bool]) -> None:
        self._service = service
        self._is_draining = is_draining
        self._requests = 0
        self._noticed = -NOTICE_SECONDS

    async def predict(self, body: bytes) -> Response:
        self._requests += 1
        job = Job(body)
        job.done.set_running_or_notify_cancel()  # a connection that ends must not undo a worker's answer
        try:
            self._service.offer(job)
        except Full as error:
            raise busy("queue: full") from error
        served = await asyncio.wrap_future(job.done)
        if isinstance(served, Refusal):
            raise served
        await self._journalled(served.journalled)
        return Response(HTTPStatus.OK, _answer(served))

    async def models(self, body: bytes) -> Response:
        serving, journal = self._service.roles.roster.serving, self._service.journal
        bundle = serving.predictor.bundle
        return Response(
            HTTPStatus.OK,
            {
                "bundle": bundle.id,
                "version": bundle.version,
                "classes": bundle.classes,
                "engine": serving.predictor.engine,
                "engine_because": serving.predictor.because,
                "since": serving.since,
                "pid": os.getpid(),
                "requests": self._requests,
                "journal": {
                    "written": journal.written,
                    "shed": journal.shed,
                    "images_shed": journal.images_shed,
                },
            },
        )

    async def healthz(self, body: bytes) -> Response:
        return Response(HTTPStatus.OK, {"status": "alive"})

    async def readyz(self, body: bytes) -> Response:
        if self._is_draining():
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "draining"})
        return Response(HTTPStatus.OK, {"status": "ready"})

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


def _answer(served: Served) -> dict[str, str | float]:
    answer = served.answer
    return {"p": answer.p, "label": served.label, "image": answer.image, "bundle": answer.bundle}
