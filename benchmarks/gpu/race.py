"""Times several functions in turns, so that a warm or throttled minute meets all of them."""

import random
from collections.abc import Callable, Mapping
from statistics import median

import torch

Work = Callable[[], object]


def race(works: Mapping[str, Work], rounds: int, calls: int) -> dict[str, float]:
    """Milliseconds of one call, the median over rounds; each runs twice before anything is timed."""
    for work in works.values():
        work()
        work()
    torch.cuda.synchronize()
    taken: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(rounds):
        for name in random.sample(list(works), len(works)):
            taken[name].append(_milliseconds(works[name], calls))
    return {name: median(times) for name, times in taken.items()}


def _milliseconds(work: Work, calls: int) -> float:
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    begin.record()
    for _ in range(calls):
        work()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / calls
