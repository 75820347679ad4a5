"""Audited labels, when there are any: a cumulative sum that finds a fall of accuracy early."""

from collections.abc import Iterable
from math import log


def alarmed(right: Iterable[bool], good: float, bad: float, alarm: float) -> int | None:
    """The number of the label at which the sum became an alarm, if it did.

    Page's sum of log likelihood ratios, bad accuracy against good, never below zero.
    """
    up, down = log((1 - bad) / (1 - good)), log(bad / good)
    total = 0.0
    for number, was_right in enumerate(right, 1):
        total = max(0.0, total + (down if was_right else up))
        if total >= alarm:
            return number
    return None
