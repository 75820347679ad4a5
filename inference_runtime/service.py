"""From a request to its answers and their journal entries; runs in the worker threads."""

import logging
import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus

from inference_runtime import asking, bodies, unseen
from inference_runtime.asking import Given
from inference_runtime.bodies import Asked
from inference_runtime.cache import Cache
from inference_runtime.door import answered
from inference_runtime.errors import ImageError
from inference_runtime.exchange import Exchange, late
from inference_runtime.journal import Journal
from inference_runtime.ledger import Ledger
from inference_runtime.metrics import Metrics
from inference_runtime.predictor import Predictor, name_of
from inference_runtime.probe import loaded
from inference_runtime.replies import Found, Reply
from inference_runtime.roles import Roles, Turn
from inference_runtime.wire import Refusal, busy
from inference_runtime.workers import Full, Workers

CAPACITY = 256

log = logging.getLogger("inference_runtime")


class Service:
    def __init__(
        self, predictor: Predictor, journal: Journal | None, threads: int, cache: Cache | None = None
    ) -> None:
        self.metrics = Metrics()
        self.roles = Roles(predictor, loaded)
        self.ledger = Ledger(journal, self.metrics)
        self._cache = cache
        self._workers: Workers[Exchange] = Workers(self._work, threads, CAPACITY)

    def offer(self, exchange: Exchange) -> None:
        try:
            self._workers.offer(exchange)
        except Full:
            raise busy("queue: full") from None

    def waiting(self) -> int:
        return self._workers.waiting()

    def close(self) -> None:
        self._workers.close()

    def _work(self, exchanges: Sequence[Exchange]) -> None:
        self.metrics.batch(len(exchanges))
        for exchange in exchanges:
            if exchange.abandoned:
                self.metrics.count("errors_total", "kind", "abandoned")  # nobody waits, nothing is done
                continue
            self.metrics.time("wait", time.monotonic() - exchange.came)
            response = answered(lambda exchange=exchange: self._answer(exchange))
            if response:
                exchange.reply(response)

    def _answer(self, exchange: Exchange) -> None:
        asked = bodies.asked(exchange.head, exchange.body)
        exchange.body = b""  # held once is enough
        turn = self.roles.roster.turn(name_of(asked.images[0]))  # read once: no answer is a mixture
        found = [self._found(turn, image, exchange) for image in asked.images]
"""placeholder"""
