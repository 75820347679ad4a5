"""PASS, FAIL or INCONCLUSIVE, with the evidence and what would have changed it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from pipeline.gate import statistics
from pipeline.gate.contest import Answers, Parity
from pipeline.params import Gate

Value = Literal["PASS", "FAIL", "INCONCLUSIVE"]
MAX_FLIPS = 0.001  # share of answers that may differ near the fence
SLICE_MIN = 100  # fewer items say nothing about a slice
MIXED_MIN = 0.1  # the rarer label's share under which a slice is of one label


@dataclass(frozen=True)
class Ruling:
    value: Value
    reasons: list[str]
    evidence: dict[str, Any]


def on_parity(parity: Parity, params: Gate) -> Ruling | None:
    """A ruling only when the exported engine is not the function that was trained."""
    faults = []
    if parity.max_logit > params.parity_logit:
        faults.append(f"a logit is off by {parity.max_logit:.2g}, allowed is {params.parity_logit:g}")
    if parity.clear_flips or parity.flips > MAX_FLIPS * parity.views:
        faults.append(
            f"{parity.flips} of {parity.views} answers flip, {parity.clear_flips} far from the fence"
        )
    if not faults:
        return None
    return Ruling("FAIL", [f"the exported engine differs from torch: {fault}" for fault in faults], {})


def on_screen(dev: Answers, params: Gate) -> Ruling | None:
    """A ruling only when dev shows the challenger to be the worse one: gold is then not spent on it."""
    if dev.champion is None:
        return None
    right, before = _right(dev)
    pair = statistics.pairs(right, before)
    p = statistics.mcnemar(pair.lost, pair.won)
    if p > params.screen:
        return None
    seen = f"{pair.lost} items lost and {pair.won} won of {pair.n}, p = {p:.2g}"
    return Ruling(
        "FAIL", [f"worse than the champion on dev: {seen}; gold was not touched"], {"dev": asdict(pair)}
    )


def first(gold: Answers, params: Gate) -> Ruling:
    """No champion yet: an absolute floor."""
    score = statistics.balanced_accuracy(gold.labels, gold.challenger)
    evidence = {"n": len(gold.labels), "balanced_accuracy": score, "floor": params.floor}
    if score >= params.floor:
        return Ruling(
            "PASS", [f"no champion yet, and {score:.1%} is above the floor of {params.floor:.0%}"], evidence
        )
    return Ruling(
        "FAIL", [f"no champion yet, but {score:.1%} is under the floor of {params.floor:.0%}"], evidence
    )


def between(gold: Answers, slices: dict[str, np.ndarray], attempt: int, params: Gate) -> Ruling:
    """Challenger against champion on gold; `attempt` is 1 for the first challenger this champion meets."""
    assert gold.champion is not None
    right, before = _right(gold)
    pair = statistics.pairs(right, before)
    p = statistics.mcnemar(pair.won, pair.lost)
    budget = statistics.spent(params.alpha, attempt)
    interval = statistics.bootstrap_mcc_difference(
        gold.labels, gold.challenger, gold.champion, gold.families, params.bootstrap, params.seed
    )
    found = {name: statistics.pairs(right[rows], before[rows]) for name, rows in slices.items()}
    mixed = {name for name, rows in slices.items() if _mixed(gold.labels[rows])}
    per_slice = _slices(found, mixed, params)
    evidence = {
        **asdict(pair),
        "gain": pair.gain,
        "p": p,
        "budget": budget,
        "attempt": attempt,
        "mcc_difference": [interval.low, interval.high],
        "slices": per_slice,
    }
    worse = statistics.mcnemar(pair.lost, pair.won)
    vetoes = [name for name, found in per_slice.items() if found["says"] == "worse"]
    return _ruled(pair, p, budget, interval, worse, vetoes, evidence, params)


def _ruled(
    pair: statistics.Pairs,
    p: float,
    budget: float,
    interval: statistics.Interval,
    worse: float,
    vetoes: list[str],
    evidence: dict[str, Any],
    params: Gate,
) -> Ruling:
    seen = f"{pair.won} items won and {pair.lost} lost of {pair.n}: {pair.gain:+.1%}, p = {p:.2g}"
    if worse <= params.alpha:
        return Ruling("FAIL", [f"worse than the champion: {seen}"], evidence)
    if vetoes:
        return Ruling(
            "FAIL", [f"loses more than {params.margin:.0%} on {name}" for name in vetoes] + [seen], evidence
        )
    doubts = []
    if pair.gain < params.bar:
        doubts.append(f"{seen}; a gain under {params.bar:.0%} is not worth a promotion")
    elif p > budget:
        needed = statistics.items_needed(pair, budget, params.bar)
        more = max(needed - pair.n, 1)
        doubts.append(
            f"{seen}; this attempt may spend {budget:.2g}: about {more:,} more gold items would decide it"
        )
    if interval.low < 0:
        doubts.append(f"MCC may be lower: the interval of its difference starts at {interval.low:+.3f}")
    if doubts:
        return Ruling("INCONCLUSIVE", doubts, evidence)
    return Ruling(
        "PASS", [f"better than the champion: {seen}, this attempt may spend {budget:.2g}"], evidence
    )


def _right(answers: Answers) -> tuple[statistics.Flags, statistics.Flags]:
    """Which items the challenger, and which the champion, got right."""
    assert answers.champion is not None
    ours, theirs = (np.equal(p > 0.5, answers.labels == 1) for p in (answers.challenger, answers.champion))
    return ours, theirs


def _mixed(labels: statistics.Labels) -> bool:
    """A slice of one label tells where the fence stands, not who sees better: moving it wins there and loses
    elsewhere."""
    return bool(MIXED_MIN <= np.mean(labels) <= 1 - MIXED_MIN)


def _slices(found: dict[str, statistics.Pairs], mixed: set[str], params: Gate) -> dict[str, dict[str, Any]]:
    """What each slice says: fine, worse, or why it may not say."""
    judges = {name: pair for name, pair in found.items() if name in mixed and pair.n >= SLICE_MIN}
    # Of twenty slices one looks worse by luck: each must stand although all were looked at.
    ps = {name: statistics.mcnemar(pair.lost, pair.won) for name, pair in judges.items()}
    worse = {name for name in statistics.holm(ps, params.alpha) if judges[name].gain < -params.margin}
    said = {name: {"says": "worse" if name in worse else "fine"} for name in judges}
    return {
        name: asdict(pair) | {"gain": pair.gain} | (said.get(name) or _silent(name, pair, mixed))
        for name, pair in found.items()
    }


def _silent(name: str, pair: statistics.Pairs, mixed: set[str]) -> dict[str, Any]:
    if name not in mixed:
        return {"says": "one label only"}
    return {"says": "too few", "needs": SLICE_MIN - pair.n}
