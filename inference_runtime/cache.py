"""Answers that were given before: the same bytes and the same bundle give the same answer."""

import threading
from collections import OrderedDict

from inference_runtime.predictor import Answer


class Cache:
    """The least recently wanted go first. Keyed by bundle, so a swap needs no emptying."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, str], Answer] = OrderedDict()

    def get(self, bundle: str, image: str) -> Answer | None:
        with self._lock:
            answer = self._answers.get((bundle, image))
            if answer:
                self._answers.move_to_end((bundle, image))
            return answer

    def put(self, answer: Answer) -> None:
        with self._lock:
            self._answers[answer.bundle, answer.image] = answer
            if len(self._answers) > self._capacity:
                self._answers.popitem(last=False)
