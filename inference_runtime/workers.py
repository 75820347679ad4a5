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
    """`work` gets one to TAKE jobs at a time, and answers them itself.

    What is for later has threads of its own, one fewer than there are workers, which begin only while a
    worker is idle: however long it takes, a job never waits for its thread.
    """

    def __init__(self, work: Callable[[Sequence[Job]], None], threads: int, capacity: int) -> None:
        self._work = work
        self._capacity = capacity
        self._waiting: list[Job] = []
        self._later: deque[tuple[Work, int]] = deque()
        self._later_bytes = 0
        self._idle = self._workers = threads  # what is under way, for later or not, is not idle
        self._closed = False
        self._lock = threading.Lock()
        self._rest = threading.Condition(self._lock)
        # Of the workers that sleep, the last to lie down on top; each is a lock that opens once.
        self._beds: list[threading.Lock] = []
        self._threads = [self._started(f"worker {n}", self._take) for n in range(threads)]
        self._threads += [self._started(f"later {n}", self._take_later) for n in range(max(1, threads - 1))]

    def offer(self, job: Job) -> None:
        """Wakes who worked last: what the model reads is still in the cache of that core."""
        with self._lock:
            if self._closed or len(self._waiting) >= self._capacity:
                raise Full
            self._waiting.append(job)
            bed = self._beds.pop() if self._beds else None
        if bed:
            bed.release()

    def later(self, work: Work, size: int) -> bool:
        """Done when no job waits; False when too much of that has gathered."""
        with self._lock:
            if self._closed or (self._later and self._later_bytes + size > LATER_BYTES):
                return False
            self._later.append((work, size))
            self._later_bytes += size
            self._rest.notify()
            return True

    def waiting(self) -> int:
        return len(self._waiting)

    def is_one_idle(self) -> bool:
        return bool(self._beds)

    def close(self) -> None:
        """Does what waits, then ends the threads."""
        with self._lock:
            self._closed = True
            self._rest.notify_all()
            while self._beds:
                self._beds.pop().release()
        for thread in self._threads:
            thread.join()

    def _started(self, name: str, take: Callable[[], Work | None]) -> threading.Thread:
        thread = threading.Thread(target=self._run, args=(take,), name=name, daemon=True)
        thread.start()
        return thread

    def _run(self, take: Callable[[], Work | None]) -> None:
        while work := take():
            work()
            with self._lock:
                self._idle += 1
                if self._later:
                    self._rest.notify()

    def _take(self) -> Work | None:
        bed = threading.Lock()
        while True:
            with self._lock:
                if self._waiting:
                    return partial(self._work, self._share())
                if self._closed:
                    return None
                bed.acquire()
                self._beds.append(bed)
            with bed:  # until somebody opens it
                pass

    def _share(self) -> list[Job]:
        """Of what waits, a fair one, so that no thread sits idle beside another's batch."""
        share = max(1, min(TAKE, len(self._waiting) // self._workers))
        jobs, self._waiting = self._waiting[:share], self._waiting[share:]
        self._idle -= 1
        return jobs

    def _take_later(self) -> Work | None:
        with self._lock:
            self._rest.wait_for(self._may_take_later)
            if not self._later:
                return None
            work, size = self._later.popleft()
            self._later_bytes -= size
            self._idle -= 1
            return work

    def _may_take_later(self) -> bool:
        return self._closed or bool(self._later and not self._waiting and self._idle > 0)
