"""Audited labels, when there are any: a cumulative sum that finds a fall of accuracy early."""

from collections.abc import Iterable
from math import log

from pipeline.params import Rollout


def climbed(right: Iterable[bool], params: Rollout, start: float = 0.0) -> tuple[float, int | None]:
    """The sum after these labels, and the number of the label at which it became an alarm.

    Page's sum of log likelihood ratios, bad accuracy against good, never below zero.
    """
    good, bad = params.accuracy, params.bad_accuracy
    up, down = log((1 - bad) / (1 - good)), log(bad / good)
    total = start
    for number, was_right in enumerate(right, 1):
        total = max(0.0, total + (down if was_right else up))
        if total >= params.cusum:
            return total, number
    return total, None
