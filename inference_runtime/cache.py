"""Answers that were given before: the same bytes and the same bundle give the same answer."""

import threading
from collections import OrderedDict

from inference_runtime.picture import Picture
from inference_runtime.predictor import Answer


class Cache:
    """The least recently wanted go first. Keyed by bundle, so a swap needs no emptying.

    A glimpse tells a new picture, which then need not wait for its name; only the name tells a known one.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lock = threading.Lock()
        self._answers: OrderedDict[tuple[str, int], Answer] = OrderedDict()

    def get(self, bundle: str, picture: Picture) -> Answer | None:
        key = bundle, picture.glimpse()
        with self._lock:
            answer = self._answers.get(key)
            if answer:
                self._answers.move_to_end(key)
        return answer if answer and answer.image == picture.name() else None

    def put(self, answer: Answer, picture: Picture) -> None:
        with self._lock:
            self._answers[answer.bundle, picture.glimpse()] = answer
            if len(self._answers) > self._capacity:
                self._answers.popitem(last=False)
