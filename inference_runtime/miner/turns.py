"""Whose turn it is: so many at a time, and of those who wait the one with the most stake."""

import asyncio
import heapq
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Turns:
    """For one event loop."""

    def __init__(self, at_once: int) -> None:
        self._free = at_once
        self._order = itertools.count()
        self._waiting: list[tuple[float, int, asyncio.Future[None]]] = []

    @asynccontextmanager
    async def turn(self, stake: float) -> AsyncIterator[None]:
        await self._come(stake)
        try:
            yield
        finally:
            self._pass_on()

    async def _come(self, stake: float) -> None:
        if self._free:
            self._free -= 1
            return
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-stake, next(self._order), mine))
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._pass_on()  # called and gone in the same moment
            raise

    def _pass_on(self) -> None:
        while self._waiting:
            _, _, one = heapq.heappop(self._waiting)
            if not one.done():  # who gave up is still in line
                one.set_result(None)
                return
        self._free += 1
