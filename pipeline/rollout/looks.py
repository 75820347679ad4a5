"""When to look, and what one look may spend: peeking all day must not take back a good model.

Look k of a roll-out spends alpha / (k (k + 1)), shared by its signals, so that all looks together never pass
alpha, whenever they come. Looks are spaced by half as many items again, so there are few.
"""

from dataclasses import dataclass

from scipy import stats

from pipeline.params import Rollout
from pipeline.rollout import signals
from pipeline.rollout.signals import SIGNALS, Expected, Finding, Seen


@dataclass(frozen=True)
class Looks:
    """How many there were in this roll-out, and at how many items of this phase the last one was."""

    done: int = 0
    items: int = 0


@dataclass(frozen=True)
class Look:
    looks: Looks
    worst: Finding | None
    alarm: bool


def look(looks: Looks, seen: Seen, expected: Expected, params: Rollout) -> Look | None:
    """None while it is too early."""
    if not due(seen.both, looks.items, params):
        return None
    after = Looks(looks.done + 1, seen.both)
    found = signals.findings(seen, expected, params)
    worst = min(found, key=lambda finding: finding.p, default=None)
    return Look(after, worst, worst is not None and worst.p <= budget(after.done, params))


def due(items: int, last: int, params: Rollout) -> bool:
    return items >= max(params.first_look, last + (last + 1) // 2)


def budget(look: int, params: Rollout) -> float:
    """For each signal of the k-th look."""
    return params.alpha / (look * (look + 1)) / SIGNALS


def seen_by(psi: float, expected: Expected, params: Rollout, power: float = 0.9) -> int:
    """Answers of both after which a disagreement of psi has been taken back with this power."""
    look, items = 1, params.first_look
    while True:
        worth = budget(look, params) / 2
        enough = int(stats.binom.isf(worth, items, expected.high)) + 1
        if stats.binom.sf(enough - 1, items, psi) >= power:
            return items
        look, items = look + 1, items + (items + 1) // 2
