"""What two models on the same traffic give away without labels; each question has a p or a plain bound.

Every number of a model is compared with what the gate led to expect, never with zero difference: a better
model must differ. The null is composite (within an interval, or at most a margin), so a p never accuses a
model that keeps to it more often than it says.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
from scipy import stats

from pipeline.params import Rollout


@dataclass(frozen=True)
class Side:
    """One model on the traffic it saw."""

    answers: int
    positives: int
    errors: int
    timeouts: int
    confidence: float | None  # mean of max(p, 1 - p): the accuracy that its own probabilities promise
    ms_p50: float | None


@dataclass(frozen=True)
class Seen:
    """Old and new, beside each other."""

    both: int
    disagree: int
    old: Side
    new: Side


@dataclass(frozen=True)
class Expected:
    """The share of answers in which the two differ, as the gate measured it."""

    low: float
    high: float


@dataclass(frozen=True)
class Finding:
    signal: str
    p: float
    says: str


def expected(verdict: Mapping[str, Any], params: Rollout) -> Expected:
    """Two answers differ when exactly one is right: what was won and lost on gold, with its interval."""
    gold = verdict.get("gold", {})
    if not gold.get("n"):
        return Expected(0.0, params.disagreement)
    interval = stats.binomtest(gold["won"] + gold["lost"], gold["n"]).proportion_ci(0.99, "exact")
    return Expected(max(interval.low - params.slack, 0.0), min(interval.high + params.slack, 1.0))


def findings(seen: Seen, expected: Expected, params: Rollout) -> list[Finding]:
    """Each signal's p; small speaks against the new model."""
    found = [
        disagreement(seen, expected),
        positives(seen.old, seen.new, params.positives),
        failures("errors", seen.old, seen.new),
        failures("timeouts", seen.old, seen.new),
        confidence(seen.old, seen.new, params.confidence),
        latency(seen.old, seen.new, params),
    ]
    return [finding for finding in found if finding]


SIGNALS = 5  # of those above, the ones with a chance to be wrong; latency is a plain bound


def disagreement(seen: Seen, expected: Expected) -> Finding | None:
    """Two-sided: too much is another model than the gate saw, far too little is the old one again."""
    if not seen.both:
        return None
    more = stats.binom.sf(seen.disagree - 1, seen.both, expected.high)
    less = stats.binom.cdf(seen.disagree, seen.both, expected.low)
    p = min(1.0, 2 * float(min(more, less)))
    return Finding(
        "disagreement",
        p,
        f"{seen.disagree} of {seen.both} answers differ ({seen.disagree / seen.both:.1%}),"
        f" expected were {expected.low:.1%} to {expected.high:.1%}",
    )


def positives(old: Side, new: Side, margin: float) -> Finding | None:
    """Two-sample z of the shares of positives, against any shift within the margin."""
    if not old.answers or not new.answers:
        return None
    before, after = old.positives / old.answers, new.positives / new.answers
    # Never below the spread of one answer: a share of exactly 0 or 1 would otherwise be infinitely sure.
    spread = sqrt(_variance(before, old.answers) + _variance(after, new.answers))
    p = 2 * float(stats.norm.sf((abs(after - before) - margin) / spread))
    return Finding("positives", min(1.0, p), f"says yes to {after:.1%}, the old one to {before:.1%}")


def failures(name: str, old: Side, new: Side) -> Finding | None:
    """Fisher's exact test: does the new one fail more often than the old one?"""
    failed = [getattr(side, name) for side in (new, old)]
    if not failed[0]:
        return None
    table = np.array([[failed[0], new.answers], [failed[1], old.answers]])
    p = float(stats.fisher_exact(table, alternative="greater").pvalue)
    return Finding(name, p, f"{failed[0]} {name} beside {new.answers} answers, the old one {failed[1]}")


def confidence(old: Side, new: Side, margin: float) -> Finding | None:
    """One-sided z of the accuracies promised. Their spread is not known, so the largest possible is taken."""
    if old.confidence is None or new.confidence is None:
        return None
    fell = old.confidence - new.confidence
    spread = sqrt(sum(_widest(side.confidence or 0.5, side.answers) for side in (old, new)))
    p = float(stats.norm.sf((fell - margin) / spread))
    return Finding(
        "confidence", p, f"promises itself {new.confidence:.1%} right, the old one {old.confidence:.1%}"
    )


def latency(old: Side, new: Side, params: Rollout) -> Finding | None:
    """A plain bound on the median, and so without a chance to be wrong: p is 0 or 1."""
    if old.ms_p50 is None or new.ms_p50 is None or min(old.answers, new.answers) < params.first_look:
        return None
    slow = new.ms_p50 > max(params.latency * old.ms_p50, old.ms_p50 + params.latency_ms)
    return Finding("latency", float(not slow), f"median {new.ms_p50:.1f} ms, the old one {old.ms_p50:.1f} ms")


def _variance(share: float, n: int) -> float:
    share = min(max(share, 1 / (n + 1)), n / (n + 1))
    return share * (1 - share) / n


def _widest(mean: float, n: int) -> float:
    """Of numbers between .5 and 1 with this mean; never below the spread of one."""
    mean = min(max(mean, 0.5 + 0.5 / (n + 1)), 1 - 0.5 / (n + 1))
    return (mean - 0.5) * (1 - mean) / n
