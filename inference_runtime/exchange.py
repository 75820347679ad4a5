"""One request under way, and the promise of its answer."""

import time
from collections.abc import Callable
from http import HTTPStatus
from itertools import count

from inference_runtime.picture import Picture
from inference_runtime.wire import Head, Refusal, Response

LONGEST_MS = 600_000

_numbers = count(1)


class Exchange:
    """`abandoned` turns true when nobody waits any more: the client left, or was told that it is too late."""

    __slots__ = ("_post", "abandoned", "body", "came", "deadline", "head", "number", "picture")

    def __init__(
        self,
        head: Head,
        body: bytes,
        patience: float,
        post: Callable[["Exchange", Response], None],
    ) -> None:
        self.head = head
        self.body = body
        self.came = time.monotonic()
        self.deadline = self.came + patience
        self.number = next(_numbers)
        self.picture: Picture | None = None  # if that is what the body is
        self.abandoned = False
        self._post = post

    def reply(self, response: Response) -> None:
        """From any thread; the first reply counts, and one that nobody waits for is nothing."""
        self._post(self, response)

    def check(self) -> None:
        """Raises when nobody waits any more."""
        if self.abandoned:
            raise late()

    def left(self) -> float:
        """Seconds until the deadline."""
        return self.deadline - time.monotonic()


def late() -> Refusal:
    return Refusal(HTTPStatus.GATEWAY_TIMEOUT, "deadline: passed before there was an answer")


def patience_of(head: Head) -> float | None:
    """The seconds that the client gives, if it says so."""
    given = head.headers.get("x-deadline-ms")
    if given is None:
        return None
    if not (given.isascii() and given.isdecimal() and len(given) < 10 and 0 < int(given) <= LONGEST_MS):
        raise Refusal(HTTPStatus.BAD_REQUEST, f"X-Deadline-Ms: not a whole number from 1 to {LONGEST_MS}")
    return int(given) / 1000
