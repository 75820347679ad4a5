"""Progress as plain lines on stderr: one a second at first, rarer as it lasts, so that logs stay readable."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")
FIRST_SECONDS, LONGEST_SECONDS = 1.0, 30.0
SHARE = 0.1  # of what has passed, until the next line


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Progress(Iterable[T]):
    def __init__(self, items: Iterable[T], what: str, total: int | None = None) -> None:
        self.items, self.what = items, what
        self.total = len(items) if total is None and isinstance(items, Sized) else total

    def __iter__(self) -> Iterator[T]:
        started = spoken = time.monotonic()
        done = told = 0
        for done, item in enumerate(self.items, 1):
            yield item
            now = time.monotonic()
            if now - spoken >= min(max(FIRST_SECONDS, SHARE * (now - started)), LONGEST_SECONDS):
                spoken, told = now, done
                say(self._line(done, now - started))
        if 0 < told < done:
            say(self._line(done, time.monotonic() - started))

    def _line(self, done: int, seconds: float) -> str:
        if self.total is None:
            return f"{self.what}: {done:,}"
        left = seconds / done * (self.total - done) if done else 0
        return f"{self.what}: {done:,} of {self.total:,}" + (f", {left:.0f} s left" if left >= 1 else "")
