"""Threads that take what waits, and a line of bounded length before them."""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

Job = TypeVar("Job")
Work = Callable[[], None]

# Enough to save hand-overs under load; more would make the first of a batch wait for the last.
TAKE = 4
# What may be done later is done when nobody waits; beyond this it is not worth its memory.
LATER_BYTES = 32 << 20


class Full(Exception):
    """The line is as long as it may get."""


class Workers(Generic[Job]):
    """`work` gets one to TAKE jobs at a time, and answers them itself."""

    def __init__(self, work: Callable[[Sequence[Job]], None], threads: int, capacity: int) -> None:
        self._work = work
        self._capacity = capacity
        self._waiting: list[Job] = []
        self._later: deque[tuple[Work, int]] = deque()
        self._later_bytes = 0
        self._closed = False
        self._gate = threading.Condition()
        self._threads = [
            threading.Thread(target=self._run, name=f"worker {n}", daemon=True) for n in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def offer(self, job: Job) -> None:
        with self._gate:
            if self._closed or len(self._waiting) >= self._capacity:
                raise Full
            self._waiting.append(job)
            self._gate.notify()

    def later(self, work: Work, size: int) -> bool:
        """Done when no job waits; False when too much of that has gathered."""
        with self._gate:
            if self._closed or (self._later and self._later_bytes + size > LATER_BYTES):
                return False
            self._later.append((work, size))
            self._later_bytes += size
            self._gate.notify()
            return True

    def waiting(self) -> int:
        return len(self._waiting)

    def close(self) -> None:
        """Does what waits, then ends the threads."""
        with self._gate:
            self._closed = True
            self._gate.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while work := self._take():
            work()

    def _take(self) -> Work | None:
        with self._gate:
            self._gate.wait_for(lambda: self._waiting or self._later or self._closed)
            if not self._waiting:
                return self._take_later()
            # A fair share, so that no thread sits idle beside another's batch.
            share = max(1, min(TAKE, len(self._waiting) // len(self._threads)))
            jobs, self._waiting = self._waiting[:share], self._waiting[share:]
            return partial(self._work, jobs)

    def _take_later(self) -> Work | None:
        if not self._later:
            return None
        work, size = self._later.popleft()
        self._later_bytes -= size
        return work
