"""A second opinion on doubtful answers, within the deadline; without one, the first answer stands."""

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

from inference_runtime.asking import Given
from inference_runtime.bundle import Bundle
from inference_runtime.errors import ImageError
from inference_runtime.exchange import Exchange
from inference_runtime.metrics import Metrics
from inference_runtime.predictor import Advice, Predictor, logit_of

# Asked at once; more of them would wait for an endpoint that is slow already, and their first answers stand.
ASKED_AT_ONCE = 8
# Kept back for the journal and the way home.
RESERVE_SECONDS = 0.1

log = logging.getLogger("inference_runtime")

Found = Given | ImageError


class NoOpinion(Exception):
    """The second has none, or not in time."""


class Second(Protocol):
    name: str  # by which the journal remembers whose opinion it was

    def __call__(self, data: bytes, bundle: Bundle, seconds: float) -> float:
        """The probability that it gives; NoOpinion when there is none within so many seconds."""


class Cascade:
    def __init__(self, second: Second, metrics: Metrics) -> None:
        self._second = second
        self._metrics = metrics
        self._free = threading.Semaphore(ASKED_AT_ONCE)
        self._pool = ThreadPoolExecutor(ASKED_AT_ONCE, thread_name_prefix="second")

    def offer(
        self, exchange: Exchange, found: Sequence[Found], then: Callable[[Sequence[Found]], None]
    ) -> bool:
        """Whether `then` will be called, with second answers where first ones were doubtful."""
        if not any(_is_doubtful(one) for one in found):
            return False
        if not self._free.acquire(blocking=False):
            self._metrics.count("cascade_total", outcome="busy")
            return False
        self._pool.submit(self._ask, exchange, found, then)
        return True

    def _ask(
        self, exchange: Exchange, found: Sequence[Found], then: Callable[[Sequence[Found]], None]
    ) -> None:
        try:
            then([self._better(one, exchange) for one in found])
        except Exception:
            log.exception("a second answer failed")
        finally:
            self._free.release()

    def _better(self, one: Found, exchange: Exchange) -> Found:
        if isinstance(one, ImageError) or not _is_doubtful(one):
            return one
        seconds = exchange.left() - RESERVE_SECONDS
        try:
            if seconds <= 0 or exchange.abandoned:
                raise NoOpinion("no time left")
            second = self._second(one.picture.data, one.bundle, seconds)
        except (NoOpinion, ImageError) as error:
            self._metrics.count("cascade_total", outcome="first stands")
            log.debug("cascade: %s", error)
            return one
        self._metrics.count("cascade_total", outcome="second")
        first = one.answer.p
        p = first + one.bundle.band.blend * (second - first)
        advice = Advice(first, second, self._second.name)
        return replace(one, answer=replace(one.answer, p=p, logit=logit_of(p), advice=advice))


class OfBundle:
    def __init__(self, predictor: Predictor) -> None:
        self.name = predictor.bundle.id
        self._predictor = predictor

    def __call__(self, data: bytes, bundle: Bundle, seconds: float) -> float:
        (answer,) = self._predictor.predict([data])
        if isinstance(answer, ImageError):
            raise NoOpinion(str(answer))
        return answer.p


def _is_doubtful(one: Any) -> bool:
    return isinstance(one, Given) and one.bundle.band.doubts(one.answer.p)
