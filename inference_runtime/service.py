"""What the server serves: one bundle at a time, and the journal of its answers."""

import binascii
import json
import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

from inference_runtime.bundle import Bundle, load
from inference_runtime.errors import ImageError
from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer, Predictor
from inference_runtime.wire import Refusal

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class Serving:
    """A predictor and since when it answers."""

    predictor: Predictor
    since: str


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
    came: float = field(default_factory=time.monotonic)
    done: Future[Served | Refusal] = field(default_factory=Future)


class Service:
    def __init__(self, predictor: Predictor, journal: Journal) -> None:
        self.journal = journal
        self.serve(predictor)

    def serve(self, predictor: Predictor) -> None:
        """From here on every batch that is begun is answered by this one; those under way keep theirs."""
        self.serving = Serving(predictor, f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}")

    def work(self, jobs: Sequence[Job]) -> None:
        """Answers each job; runs in the worker threads."""
        predictor = self.serving.predictor  # read once: a swap must not divide an answer
        try:
            self._answer(predictor, jobs)
        except Exception as error:
            log.exception("a batch of %d failed", len(jobs))
            for job in jobs:
                if not job.done.done():
                    job.done.set_exception(error)

    def _answer(self, predictor: Predictor, jobs: Sequence[Job]) -> None:
        images = [_image_or_refusal(job.body) for job in jobs]
        answers = iter(predictor.predict([image for image in images if isinstance(image, bytes)]))
        for job, image in zip(jobs, images, strict=True):
            if isinstance(image, Refusal):
                job.done.set_result(image)
            else:
                job.done.set_result(self._served(predictor, job, image, next(answers)))

    def _served(
        self, predictor: Predictor, job: Job, image: bytes, answer: Answer | ImageError
    ) -> Served | Refusal:
        if isinstance(answer, ImageError):
            return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(answer))
        ms = (time.monotonic() - job.came) * 1000
        return Served(answer, predictor.bundle, self.journal.submit(answer, image, ms))


def warm_predictor(folder: Path) -> Predictor:
    """Verified, loaded and warm; one thread per picture, for the workers are the parallel part."""
    predictor = Predictor(load(folder), threads=1)
    predictor.warm()
    return predictor


def object_of(body: bytes) -> dict[str, Any]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"body: not JSON ({error})") from error
    if not isinstance(found, dict):
        raise Refusal(HTTPStatus.BAD_REQUEST, "body: not a JSON object")
    return found


def _image_or_refusal(body: bytes) -> bytes | Refusal:
    try:
        return _image(body)
    except Refusal as refusal:
        return refusal


def _image(body: bytes) -> bytes:
    # No picture starts with a brace, so the body says by itself what it is; clients often do not.
    if not body[:64].lstrip().startswith(b"{"):
        return body
    text = object_of(body).get("image")
    if not isinstance(text, str):
        raise Refusal(HTTPStatus.BAD_REQUEST, "image: missing, or not a base64 string")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"image: not base64 ({error})") from error
