"""A benchmark that is told to end leaves none of its servers behind."""

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def gracefully() -> None:
    """From now on SIGTERM unwinds the stack, as Ctrl-C does: whoever started a process ends it."""
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def run(main: Coroutine[Any, Any, T]) -> T:
    """asyncio.run, in which SIGTERM cancels, as Ctrl-C does there.

    An exception in the midst of the event loop could forget a process that was just started, or wait for its
    end for ever.
    """

    async def whole() -> T:
        task = asyncio.current_task()
        assert task
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        return await main

    try:
        return asyncio.run(whole())
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)
    finally:
        gracefully()
