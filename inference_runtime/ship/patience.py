"""Trying again what may pass, a bounded number of times, ever more slowly."""

import logging
import random
from collections.abc import Callable
from threading import Event
from typing import TypeVar

from inference_runtime.ship.objects import StillUnsteady, Unsteady

TRIES = 7
FIRST_SECONDS = 0.5
LONGEST_SECONDS = 20.0

log = logging.getLogger("inference_runtime")

Result = TypeVar("Result")


class Stopped(Exception):
    """Somebody asked to stop."""


def patiently(call: Callable[[], Result], stop: Event) -> Result:
    """What `call` returns; StillUnsteady once it failed TRIES times. Stopped, when asked to end."""
    for tried in range(1, TRIES + 1):
        if stop.is_set():
            raise Stopped
        try:
            return call()
        except Unsteady as error:
            if tried == TRIES:
                raise StillUnsteady(f"{error}; {TRIES} tries failed, run it again later") from error
            log.warning("%s; try %d of %d failed", error, tried, TRIES)
        stop.wait(_pause(tried))
    raise AssertionError("unreachable")


def _pause(tried: int) -> float:
    # Random, so that many who were refused together do not come back together.
    return random.uniform(0.5, 1.0) * min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** (tried - 1))
