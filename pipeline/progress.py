"""Progress as plain lines on stderr, at most one a second: readable in a terminal and in a log."""

import sys
import time
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

T = TypeVar("T")


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Progress(Iterable[T]):
    def __init__(self, items: Iterable[T], what: str, total: int | None = None, every: float = 1.0) -> None:
        self.items, self.what, self.every = items, what, every
        self.total = len(items) if total is None and isinstance(items, Sized) else total

    def __iter__(self) -> Iterator[T]:
        started = spoken = time.monotonic()
        done = 0
        for done, item in enumerate(self.items, 1):
            yield item
            now = time.monotonic()
            if now - spoken >= self.every:
                spoken = now
                say(self._line(done, now - started))
        if spoken != started:
            say(self._line(done, time.monotonic() - started))

    def _line(self, done: int, seconds: float) -> str:
        if self.total is None:
            return f"{self.what}: {done:,}"
        left = seconds / done * (self.total - done) if done else 0
        return f"{self.what}: {done:,} of {self.total:,}" + (f", {left:.0f} s left" if left >= 1 else "")
