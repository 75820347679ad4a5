"""What all connections share: limits, the clock that watches them, and the way back to the event loop."""

import asyncio
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from inference_runtime.metrics import Metrics
from inference_runtime.wire import HEAD_BYTES

if TYPE_CHECKING:
    from inference_runtime.connection import Connection

TICK_SECONDS = 0.05


class Traffic:
    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        held_bytes: int,
        watch: Callable[[float], None],
        metrics: Metrics,
    ) -> None:
        self.held = 0
        self.held_bytes = held_bytes
        self.draining = False
        self.metrics = metrics
        self.connections: set[Connection] = set()
        # Heads are read into one place, for they are parsed before the next one is read. No larger than a
        # head may be: what comes with one of its body has to be copied from here.
        self.scratch = memoryview(bytearray(HEAD_BYTES))
        self._loop = loop
        self._lock = threading.Lock()
        self._watch = watch
        self._ticking = loop.call_later(TICK_SECONDS, self._tick)

    def hold(self, size: int) -> None:
        with self._lock:
            self.held += size

    def let_go(self, size: int) -> None:
        """From any thread."""
        with self._lock:
            self.held -= size

    def later(self, do: Callable[..., None], *given: Any) -> None:
        """From any thread; the event loop does it."""
        self._loop.call_soon_threadsafe(do, *given)

    def busy(self) -> int:
        return sum(not one.is_idle for one in self.connections)

    def stop(self) -> None:
        self._ticking.cancel()
        for connection in list(self.connections):
            connection.close()

    def _tick(self) -> None:
        now = time.monotonic()
        self._watch(now)
        for connection in list(self.connections):
            connection.watch(now)
        self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)
