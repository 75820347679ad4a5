"""From a request to its answers and their journal entries; runs in the worker threads."""

import logging
import time
from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

from inference_runtime import asking, bodies, replies, unseen, video
from inference_runtime.asking import Given
from inference_runtime.cache import Cache
from inference_runtime.cascade import Cascade, Second
from inference_runtime.door import answered
from inference_runtime.errors import ImageError
from inference_runtime.exchange import Exchange
from inference_runtime.journal import Journal
from inference_runtime.ledger import Ledger
from inference_runtime.memory import Memory
from inference_runtime.metrics import Metrics
from inference_runtime.picture import Picture
from inference_runtime.predictor import Predictor
from inference_runtime.probe import loaded
from inference_runtime.roles import Roles
from inference_runtime.shared_cache import Layers, Shared
from inference_runtime.video import Sampling
from inference_runtime.wire import Refusal, Response, busy
from inference_runtime.workers import Full, Workers

CAPACITY = 256
# The event loop names pictures up to here: half a millisecond, or two where no instruction hashes.
NAMED_BYTES = 1 << 20

log = logging.getLogger("inference_runtime")

Found = Given | ImageError


class Service:
    def __init__(
        self,
        predictor: Predictor,
        journal: Journal | None,
        threads: int,
        second: Second | None = None,
        cached: int = 0,
        shared: Shared | None = None,
        sampling: Sampling | None = None,
    ) -> None:
        self.metrics = Metrics()
        self.shared = shared
        self.roles = Roles(predictor, loaded)
        self.ledger = Ledger(journal)
        self._memory = Memory()
        self._cache = Layers(cached, shared, self.metrics) if shared else Cache(cached) if cached else None
        self._sampling = sampling or Sampling()
        self._cascade = Cascade(second, self.metrics) if second else None
        self._workers: Workers[Exchange] = Workers(self._work, threads, CAPACITY)

    def offer(self, exchange: Exchange) -> None:
        """Answered from a worker; refused at once when too many wait.

        While a core is idle, the picture is named here, beside the worker, who decodes first.
        """
        picture = exchange.picture = bodies.whole(exchange.head, exchange.body)
        try:
            self._workers.offer(exchange)
        except Full:
            raise busy("queue: full") from None
        if picture and len(picture.data) <= NAMED_BYTES and self._workers.is_one_idle():
            picture.name()

    def watch(self, now: float) -> None:
        """Called by the clock."""
        self.ledger.watch(now)
        self._memory.watch(now)

    def waiting(self) -> int:
        return self._workers.waiting()

    def close(self) -> None:
        self._workers.close()

    def _work(self, exchanges: Sequence[Exchange]) -> None:
        self.metrics.batch(len(exchanges))
        for exchange in exchanges:
            if exchange.abandoned:
                self.metrics.count("errors_total", kind="abandoned")  # nobody waits: nothing is done
                continue
            self.metrics.time("queue", time.monotonic() - exchange.came)
            if response := answered(partial(self._answer, exchange)):
                exchange.reply(response)

    def _answer(self, exchange: Exchange) -> Response | None:
        whole = exchange.picture
        asked = bodies.Asked([whole]) if whole else bodies.held(exchange.head, exchange.body)
        exchange.body, exchange.picture = b"", None  # held once is enough
        images: Sequence[Picture | ImageError] = asked.images
        if any(video.is_video(one.data) for one in asked.images):
            asked, images = video.unfolded(asked, self._sampling, exchange.check)
        found = self._found(exchange, images)
        if isinstance(found[0], ImageError) and not asked.many and not asked.clips:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(found[0]))
        finish = partial(self._finish, exchange, asked)
        if self._cascade is None or not self._cascade.offer(exchange, found, finish):
            finish(found)
        return None

    def _found(self, exchange: Exchange, images: Sequence[Picture | ImageError]) -> list[Found]:
        roster, turn = self.roles.roster, None  # read once: a swap must not divide an answer
        found: list[Found] = []
        for one in images:
            exchange.check()
            if isinstance(one, ImageError):
                found.append(self._failed(one))
                continue
            turn = turn or roster.turn(one)
            ask = partial(asking.given, turn, one, exchange.left(), self.metrics, self._cache)
            found.append(self._asked(ask))
        return found

    def _finish(self, exchange: Exchange, asked: bodies.Asked, found: Sequence[Found]) -> None:
        """The answers go out once their entries are durable."""
        ms = (time.monotonic() - exchange.came) * 1000
        request = f"{self.ledger.run}-{exchange.number}"
        given = [one for one in found if isinstance(one, Given)]
        entries = [self.ledger.keep(one.answer, one.picture.data, ms, request, one.role) for one in given]
        staged = self._cascade is not None
        began = time.monotonic()

        def reply(ids: Sequence[str | None]) -> None:
            self.metrics.time("journal", time.monotonic() - began)
            exchange.reply(replies.to(asked, found, ids, staged))

        self.ledger.when_kept(entries, reply)
        for one in given:
            self.metrics.count("images_total", role=one.role)
            self._answer_again(one, request)

    def _answer_again(self, given: Given, request: str) -> None:
        if given.unseen and not self._workers.later(
            unseen.work(given, request, self.ledger), len(given.picture.data)
        ):
            given.unseen.comparison.dropped()

    def _asked(self, ask: partial[Given]) -> Found:
        try:
            return ask()
        except ImageError as error:
            # A new one: the traceback of this holds the frames, which hold the request, which will hold it.
            return self._failed(ImageError(str(error)))

    def _failed(self, error: ImageError) -> ImageError:
        self.metrics.count("errors_total", kind="image")
        return error
