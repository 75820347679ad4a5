"""What all connections share: limits, the clock that watches them, and the way back from the workers."""

import asyncio
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from inference_runtime.exchange import Exchange
from inference_runtime.metrics import Metrics
from inference_runtime.wire import Response

if TYPE_CHECKING:
    from inference_runtime.connection import Connection

TICK_SECONDS = 0.05
SCRATCH_BYTES = 512 << 10


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
        # Heads are read into one place, for they are parsed before the next one is read. With a head comes
        # what has arrived of its body: to copy that is cheaper than to be woken again for it.
        self.scratch = memoryview(bytearray(SCRATCH_BYTES))
        self._loop = loop
        self._outbox: deque[tuple[Connection, Exchange, Response]] = deque()
        self._is_told = False
        self._watch = watch
        self._ticking = loop.call_later(TICK_SECONDS, self._tick)

    def post(self, connection: "Connection", exchange: Exchange, response: Response) -> None:
        """From any thread. However many answers wait, the loop is woken once."""
        self._outbox.append((connection, exchange, response))
        if not self._is_told:
            self._is_told = True
            self._loop.call_soon_threadsafe(self._deliver)

    def busy(self) -> int:
        return sum(not one.is_idle for one in self.connections)

    def stop(self) -> None:
        self._ticking.cancel()
        self._deliver()
        for connection in list(self.connections):
            connection.close()

    def _deliver(self) -> None:
        # Told first: what is posted from here on wakes the loop again, or is seen below.
        self._is_told = False
        while self._outbox:
            connection, exchange, response = self._outbox.popleft()
            connection.answer(exchange, response)

    def _tick(self) -> None:
        now = time.monotonic()
        self._watch(now)
        for connection in list(self.connections):
            connection.watch(now)
        self._ticking = self._loop.call_later(TICK_SECONDS, self._tick)
