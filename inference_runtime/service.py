"""From a request's body to an answer and its journal entry; runs in the worker threads."""

import logging
import secrets
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from http import HTTPStatus

from inference_runtime import asking, unseen
from inference_runtime.bodies import image_of
from inference_runtime.bundle import Bundle
from inference_runtime.errors import ImageError
from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer, Predictor, name_of
from inference_runtime.probe import loaded
from inference_runtime.roles import Roles
from inference_runtime.wire import Refusal
from inference_runtime.workers import Workers

CAPACITY = 256

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class Served:
    """An answer, the bundle that gave all of it, and the promise of its journal entry."""

    answer: Answer
    bundle: Bundle
    journalled: Future[str]

    @property
    def label(self) -> str:
        return self.bundle.classes[self.answer.p > 0.5]


@dataclass(frozen=True)
class Job:
    body: bytes
    request: str = field(default_factory=lambda: secrets.token_hex(8))
    came: float = field(default_factory=time.monotonic)
    done: Future[Served | Refusal] = field(default_factory=Future)


class Service:
    def __init__(self, predictor: Predictor, journal: Journal, threads: int) -> None:
        self.journal = journal
        self.roles = Roles(predictor, loaded)
        self._workers: Workers[Job] = Workers(self._work, threads, CAPACITY)

    def offer(self, job: Job) -> None:
        """Raises Full when too many wait."""
        self._workers.offer(job)

    def close(self) -> None:
        self._workers.close()

    def _work(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            try:
                job.done.set_result(self._served_or_refusal(job))
            except Exception as error:
                log.exception("a request failed")
                job.done.set_exception(error)

    def _served_or_refusal(self, job: Job) -> Served | Refusal:
        try:
            return self._served(job, image_of(job.body))
        except Refusal as refusal:
            return refusal
        except ImageError as error:
            return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))

    def _served(self, job: Job, data: bytes) -> Served:
        image = name_of(data)
        turn = self.roles.roster.turn(image)  # read once: a swap must not divide an answer
        given = asking.given(turn, data, image)
        ms = (time.monotonic() - job.came) * 1000
        entry = self.journal.submit(given.answer, data, ms, job.request, given.role)
        if given.unseen:
            again = unseen.work(given, data, job.request, self.journal)
            if not self._workers.later(again, len(data)):
                given.unseen.comparison.dropped()
        return Served(given.answer, given.bundle, entry)
