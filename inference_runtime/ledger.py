"""The journal as the server sees it: there or not, and never waited for longer than is reasonable."""

import logging
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future

from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer

# A disk that hangs must not hold an answer back for ever.
JOURNAL_SECONDS = 1.0
NOTICE_SECONDS = 60.0

log = logging.getLogger("inference_runtime")

Entry = Future[str]
Then = Callable[[Sequence[str | None]], None]


class Ledger:
    def __init__(self, journal: Journal | None) -> None:
        self.run = secrets.token_hex(6)  # with a number after it, the name of a request
        self._journal = journal
        self._waiting: deque[_Waiting] = deque()
        self._noticed = -NOTICE_SECONDS

    def counts(self) -> dict[str, int] | None:
        if self._journal is None:
            return None
        held = self._journal
        return {"written": held.written, "shed": held.shed, "images_shed": held.images_shed}

    def keep(self, answer: Answer, data: bytes, ms: float, request: str, role: str) -> Entry:
        if self._journal is None:
            return _nothing()
        entry = self._journal.submit(answer, data, ms, request, role)
        entry.add_done_callback(self._notice)
        return entry

    def when_kept(self, entries: Sequence[Entry], then: Then) -> None:
        """`then` gets the id of each entry, None for one that was shed or takes too long."""
        if all(entry.done() for entry in entries):  # nothing is kept, or it was quick
            then([_id(entry) for entry in entries])
            return
        waiting = _Waiting(entries, then)
        self._waiting.append(waiting)
        waiting.begin()

    def watch(self, now: float) -> None:
        """Called by the clock: lets go what waits too long."""
        while self._waiting and (self._waiting[0].is_over or now > self._waiting[0].until):
            self._waiting.popleft().end()

    def _notice(self, entry: Entry) -> None:
        if (error := entry.exception()) is None or self._journal is None:
            return
        if time.monotonic() - self._noticed >= NOTICE_SECONDS:
            self._noticed = time.monotonic()
            log.warning("journal: sheds (%s), %d so far; free its disk", error, self._journal.shed)


class _Waiting:
    """Calls `then` once: when all is kept, or when it has waited too long."""

    def __init__(self, entries: Sequence[Entry], then: Then) -> None:
        self.is_over = False
        self.until = time.monotonic() + JOURNAL_SECONDS
        self._entries: Sequence[Entry] = entries
        self._then: Then = then
        self._left = len(entries)
        self._lock = threading.Lock()

    def begin(self) -> None:
        for entry in self._entries:
            entry.add_done_callback(self._count_down)
        if not self._entries:
            self.end()

    def end(self) -> None:
        with self._lock:
            if self.is_over:
                return
            self.is_over = True
            # An entry knows who waits for it: without these the two, and with them a whole request with its
            # images, would keep each other until the collector looks, which under load is minutes.
            entries, then = self._entries, self._then
            self._entries, self._then = (), _done
        then([_id(entry) for entry in entries])

    def _count_down(self, entry: Entry) -> None:
        with self._lock:
            self._left -= 1
            is_last = self._left == 0
        if is_last:
            self.end()


def _done(ids: Sequence[str | None]) -> None:
    """What is called in place of what was called."""


def _id(entry: Entry) -> str | None:
    return (entry.result() or None) if entry.done() and not entry.exception() else None


def _nothing() -> Entry:
    entry: Entry = Future()
    entry.set_exception(OSError("there is no journal"))
    return entry
