"""From answers to what a verdict rests on, and to the figures that a report shows."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline import challenge
from pipeline.gate import paired, resampling, scores, slices, verdict, wealth
from pipeline.gate.contest import Answers
from pipeline.gate.paired import Flags, Interval, Pairs
from pipeline.gate.scores import Scores
from pipeline.gate.verdict import Evidence
from pipeline.gate.wealth import Wealth
from pipeline.params import Gate

Figures = dict[str, Any]


def pair(answers: Answers) -> Pairs:
    """One view per family: they win and lose together, and exact tests count them singly."""
    _, first = np.unique(answers.families, return_index=True)
    return paired.pairs(answers.right[first], answers.right_before[first])


def lost(cases: Sequence[str], answers: Answers) -> list[str]:
    if answers.champion is None or not cases:
        return []
    return [cases[int(row)] for row in np.flatnonzero(answers.right_before & ~answers.right)]


def gathered(
    gold: Answers,
    replica: Answers,
    painted: Flags,
    fresh: Wealth,
    parted: Mapping[str, Mapping[str, Any]],
    lost: Sequence[str],
    attempt: int,
    due: bool,
    params: Gate,
) -> tuple[Evidence, Figures]:
    """`painted` are the replica's rows that show painted streets: half of its say is theirs."""
    assert replica.champion is not None
    apart = resampling.differences(
        replica.labels,
        replica.challenger,
        replica.champion,
        replica.families,
        params.bootstrap,
        params.seed,
        resampling.halves(painted),
    )
    met = pair(gold)
    found = Evidence(met, attempt, fresh, apart.mcc, slices.vetoes(parted), lost, due)
    figures = {
        "gold": _on_gold(met, attempt, params),
        "fresh": _on_fresh(fresh, params),
        "replica": {
            "views": len(replica.labels),
            "families": len(np.unique(replica.families)),
            "painted": int(painted.sum()),
            "mcc": _bounds(apart.mcc),
            "reward": _bounds(apart.reward),
        },
    }
    return found, figures | alone(gold, params)


def alone(gold: Answers, params: Gate) -> Figures:
    """What can be said of each side by itself."""
    sides = {"challenger": gold.challenger, "champion": gold.champion}
    return {"scores": {side: score(gold, p, params) for side, p in sides.items() if p is not None}}


def score(gold: Answers, p: Scores, params: Gate) -> Figures:
    labels = gold.labels
    earned = resampling.earned(labels, p, gold.families, params.bootstrap, params.seed)
    return {
        "accuracy": scores.accuracy(labels, p),
        "balanced_accuracy": scores.balanced_accuracy(labels, p),
        "mcc": scores.mcc(labels, p),
        "reward": challenge.expected_reward(labels, p),
        "reward_interval": _bounds(earned),
        "auc": scores.auc(labels, p),
        "confusion": scores.confusion(labels, p),
        "calibration_error": scores.calibration_error(labels, p),
        # Compared with what chance alone would show: no fixed bar is fair to small sets.
        "calibration_null": scores.calibration_null(p, params.seed),
    }


def _on_gold(met: Pairs, attempt: int, params: Gate) -> Figures:
    return asdict(met) | {
        "gain": met.gain,
        "interval": _bounds(paired.interval(met)),
        "p": paired.mcnemar(met.won, met.lost),
        "budget": verdict.gold_budget(attempt, params),
        "attempt": attempt,
        "bar": params.bar,
    }


def _on_fresh(fresh: Wealth, params: Gate) -> Figures:
    goal = verdict.fresh_goal(params)
    return asdict(fresh.items) | {
        "gain": fresh.items.gain,
        "interval": _bounds(paired.interval(fresh.items)),
        "evidence": fresh.now,
        "height": fresh.height,
        "start": fresh.start,
        "goal": goal,
        "missing": wealth.items_missing(fresh, goal, params.bar),
    }


def _bounds(found: Interval) -> list[float]:
    return [found.low, found.high]
