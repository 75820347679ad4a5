"""Answers that any replica gave before, kept in Redis; while that is away they are computed."""

import json
import logging
import math
import threading
import time
from typing import Any

from inference_runtime.cache import Cache
from inference_runtime.errors import Fixable
from inference_runtime.metrics import Metrics
from inference_runtime.picture import Picture
from inference_runtime.predictor import Answer

# One answer may lose this much to a Redis that hangs; after that nobody asks it for a while.
PATIENCE_SECONDS = 0.05
AWAY_SECONDS = 5.0
KEPT_SECONDS = 86_400

log = logging.getLogger("inference_runtime")


class Shared:
    """Never raises: what Redis does not give is a miss, and whether it is there is a state."""

    def __init__(self, url: str) -> None:
        self.is_up = True
        self._client, self._errors = _client(url)
        self._again = 0.0
        self._lock = threading.Lock()

    def get(self, bundle: str, image: str) -> tuple[str, Answer | None]:
        """What happened, in a word for counting; and the answer, if one was there."""
        held = self._ask("GET", _key(bundle, image))
        if held is None:
            return ("miss" if self.is_up else "down"), None
        try:
            p, logit, width, height = json.loads(held)
            answer = Answer(float(p), float(logit), image, bundle, int(width), int(height))
            if not (0 <= answer.p <= 1 and math.isfinite(answer.logit)):
                return "broken", None
        except (ValueError, TypeError):
            return "broken", None
        return "hit", answer

    def put(self, answer: Answer) -> None:
        held = json.dumps([answer.p, answer.logit, answer.width, answer.height])
        self._ask("SET", _key(answer.bundle, answer.image), held, "EX", KEPT_SECONDS)

    def _ask(self, *command: Any) -> Any:
        if not self._may_ask():
            return None
        try:
            found = self._client.execute_command(*command)
        except self._errors as error:
            self._settle(False, str(error))
            return None
        if not self.is_up:
            self._settle(True, "")
        return found

    def _may_ask(self) -> bool:
        """While it is away one thread tries, once in a while, and nobody else waits."""
        if self.is_up:
            return True
        with self._lock:
            now = time.monotonic()
            if now < self._again:
                return False
            self._again = now + AWAY_SECONDS
            return True

    def _settle(self, is_up: bool, why: str) -> None:
        with self._lock:
            changed, self.is_up = is_up is not self.is_up, is_up
            self._again = time.monotonic() + AWAY_SECONDS
        if changed and is_up:
            log.info("cache: Redis is back")
        elif changed:
            log.warning("cache: Redis is away (%s); answers are computed meanwhile", " ".join(why.split()))


class Layers(Cache):
    """The process's own memory first, then what the replicas share."""

    def __init__(self, capacity: int, shared: Shared, metrics: Metrics) -> None:
        super().__init__(capacity)
        self._shared, self._metrics = shared, metrics

    def get(self, bundle: str, picture: Picture) -> Answer | None:
        if answer := super().get(bundle, picture):
            return answer
        outcome, found = self._shared.get(bundle, picture.name())
        self._metrics.count("shared_cache_total", outcome=outcome)
        if found:
            super().put(found, picture)
        return found

    def put(self, answer: Answer, picture: Picture) -> None:
        super().put(answer, picture)
        self._shared.put(answer)


def _key(bundle: str, image: str) -> str:
    return f"retrain-72:answer:{bundle}:{image}"


def _client(url: str) -> tuple[Any, tuple[type[Exception], ...]]:
    try:
        import redis
    except ImportError as error:
        raise Fixable("--cache-url: Redis needs pip install 'retrain-72[redis]'") from error
    try:
        client = redis.Redis.from_url(
            url, socket_timeout=PATIENCE_SECONDS, socket_connect_timeout=PATIENCE_SECONDS, retry=None
        )
    except ValueError as error:
        raise Fixable(f"--cache-url: {error}") from error
    return client, (redis.RedisError, OSError)
