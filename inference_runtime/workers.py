"""Threads that take what waits, and a line of bounded length before them."""

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

Job = TypeVar("Job")

# Enough to save hand-overs under load; more would make the first of a batch wait for the last.
TAKE = 4


class Full(Exception):
    """The line is as long as it may get."""


class Workers(Generic[Job]):
    """`work` gets one to TAKE jobs at a time, and answers them itself."""

    def __init__(self, work: Callable[[Sequence[Job]], None], threads: int, capacity: int) -> None:
        self._work = work
        self._capacity = capacity
        self._waiting: list[Job] = []
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

    def close(self) -> None:
        """Answers what waits, then ends the threads."""
        with self._gate:
            self._closed = True
            self._gate.notify_all()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while jobs := self._take():
            self._work(jobs)

    def _take(self) -> Sequence[Job]:
        with self._gate:
            self._gate.wait_for(lambda: self._waiting or self._closed)
            # A fair share, so that no thread sits idle beside another's batch.
            share = max(1, min(TAKE, len(self._waiting) // len(self._threads)))
            jobs, self._waiting = self._waiting[:share], self._waiting[share:]
            return jobs
