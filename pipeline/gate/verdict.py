"""PASS, FAIL or INCONCLUSIVE, with the evidence and what would have changed it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.gate import paired, scores, wealth
from pipeline.gate.contest import Answers
from pipeline.gate.paired import Interval, Pairs
from pipeline.gate.parity import Parity
from pipeline.gate.wealth import Wealth
from pipeline.params import Gate

Value = Literal["PASS", "FAIL", "INCONCLUSIVE"]


@dataclass(frozen=True)
class Ruling:
    value: Value
    reasons: list[str]
    changes: list[str] = field(default_factory=list)  # what would have changed the answer


@dataclass(frozen=True)
class Evidence:
    """All that a verdict between two models rests on."""

    gold: Pairs
    attempt: int  # of how many on gold, against this champion
    fresh: Wealth
    mcc: Interval  # challenger minus champion, on the replica
    vetoes: Sequence[str] = ()  # slices that were lost
    regressions: Sequence[str] = ()  # incidents that the champion answers rightly and the challenger does not
    due: bool = False  # the champion is old, and the age rule is on


def on_parity(parity: Parity) -> Ruling | None:
    """A ruling only when the exported engine is not the function that was trained."""
    if not parity.faults:
        return None
    cause, *found = parity.faults
    reasons = [f"the exported engine differs from torch: {cause}", *found]
    return Ruling("FAIL", reasons, ["an export that answers what the trained model answers"])


def on_budgets(kept: Mapping[str, Mapping[str, Any]]) -> Ruling | None:
    over = [name for name, told in kept.items() if not told["kept"]]
    if not over:
        return None
    reasons = [f"over the budget: gate.{name} allows {kept[name]['budget']:g}" for name in over]
    return Ruling("FAIL", reasons, ["a smaller model, or a larger budget in params.yaml"])


def on_screen(dev: Pairs, params: Gate) -> Ruling | None:
    """A ruling only when dev shows the challenger to be the worse one: gold is then not spent on it."""
    p = paired.mcnemar(dev.lost, dev.won)
    if p > params.screen:
        return None
    seen = f"{dev.lost} items lost and {dev.won} won of {dev.n}, p = {p:.2g}"
    return Ruling(
        "FAIL",
        [f"worse than the champion on dev: {seen}; gold was not touched"],
        ["a better training night; this attempt has cost nothing of the error budget"],
    )


def first(gold: Answers, params: Gate) -> Ruling:
    """No champion yet: an absolute floor."""
    score = scores.balanced_accuracy(gold.labels, gold.challenger)
    if score >= params.floor:
        return Ruling("PASS", [f"no champion yet, and {score:.1%} is above the floor of {params.floor:.0%}"])
    return Ruling(
        "FAIL",
        [f"no champion yet, but {score:.1%} is under the floor of {params.floor:.0%}"],
        [f"a balanced accuracy of {params.floor:.0%} on gold"],
    )


def between(evidence: Evidence, params: Gate) -> Ruling:
    if faults := _faults(evidence, params):
        return Ruling("FAIL", [*faults, _on_gold(evidence.gold)], _remedies(evidence))
    proofs = _proofs(evidence, params)
    if proofs and evidence.mcc.low >= 0:
        return Ruling("PASS", proofs)
    if evidence.due and (bound := lower_bound(evidence.gold, params)) > -params.aged_loss:
        age = f"age: the champion is due, and at worst {-min(bound, 0.0):.2%} of the answers are lost"
        return Ruling("PASS", [age, _on_gold(evidence.gold)])
    return Ruling("INCONCLUSIVE", _doubts(evidence, proofs, params), _missing(evidence, proofs, params))


def gold_budget(attempt: int, params: Gate) -> float:
    """What the tests on gold may err together is divided among the attempts, the first ones getting most."""
    return paired.spent(params.alpha * params.gold_share, attempt)


def fresh_goal(params: Gate) -> float:
    """The wealth that is evidence enough; what gold may err and what this may err together is alpha."""
    return 1 / (params.alpha * (1 - params.gold_share))


def lower_bound(pair: Pairs, params: Gate) -> float:
    """Of the gain, one-sided at alpha."""
    return paired.interval(pair, 1 - 2 * params.alpha).low


def _faults(evidence: Evidence, params: Gate) -> list[str]:
    faults = [f"lost {case[:12]}, which went wrong before" for case in evidence.regressions]
    faults += [f"loses more than {params.margin:.0%} on {name}" for name in evidence.vetoes]
    if paired.mcnemar(evidence.gold.lost, evidence.gold.won) <= params.alpha:
        faults.append("worse than the champion on gold")
    return faults


def _proofs(evidence: Evidence, params: Gate) -> list[str]:
    found = []
    gold, fresh = evidence.gold, evidence.fresh
    p, budget = paired.mcnemar(gold.won, gold.lost), gold_budget(evidence.attempt, params)
    if gold.gain >= params.bar and p <= budget:
        found.append(f"better than the champion: {_on_gold(gold)}, and this attempt may spend {budget:.2g}")
    if fresh.items.gain >= params.bar and fresh.height >= fresh_goal(params):
        found.append(f"better than the champion: {_on_fresh(fresh, params)}")
    return found


def _doubts(evidence: Evidence, proofs: list[str], params: Gate) -> list[str]:
    if proofs:
        low = evidence.mcc.low
        return [
            f"MCC on the replica may be lower: the interval of its difference starts at {low:+.3f}",
            *proofs,
        ]
    gold, budget = evidence.gold, gold_budget(evidence.attempt, params)
    small = gold.gain < params.bar
    why = (
        f"a gain under {params.bar:.0%} is not worth a promotion"
        if small
        else f"this attempt may spend {budget:.2g}"
    )
    return [f"{_on_gold(gold)}; {why}", _on_fresh(evidence.fresh, params)]


def _missing(evidence: Evidence, proofs: list[str], params: Gate) -> list[str]:
    if proofs:
        return ["an interval of the MCC difference on the replica that does not reach below 0"]
    gold, fresh, said = evidence.gold, evidence.fresh, []
    more = wealth.items_missing(fresh, fresh_goal(params), params.bar)
    if more is not None:
        pace = (
            "the gain seen on fresh items so far"
            if fresh.items.gain > params.bar
            else f"a gain of {params.bar:.0%}"
        )
        said.append(f"needs about {more:,} more fresh items, if they show {pace}")
    if gold.gain < params.bar:
        short = math.ceil(params.bar * gold.n - gold.won + gold.lost)
        said.append(f"{max(short, 1)} more items won on gold would reach the bar of {params.bar:.0%}")
    else:
        needed = paired.items_needed(gold, gold_budget(evidence.attempt, params), params.bar)
        said.append(f"needs about {max(needed - gold.n, 1):,} more gold items that go the same way")
    return said


def _remedies(evidence: Evidence) -> list[str]:
    said = [f"no loss on {name}: label and paint more of it" for name in evidence.vetoes]
    if evidence.regressions:
        said.append("a challenger that answers every incident as the champion does")
    return said or ["a challenger that does not lose on gold"]


def _on_gold(pair: Pairs) -> str:
    p = paired.mcnemar(pair.won, pair.lost)
    return f"{pair.won} items won and {pair.lost} lost of {pair.n:,} on gold: {pair.gain:+.1%}, p = {p:.2g}"


def _on_fresh(found: Wealth, params: Gate) -> str:
    items = found.items
    if not items.n:
        return "no fresh items yet"
    counts = f"{items.won} won and {items.lost} lost of {items.n:,} fresh items: {items.gain:+.1%}"
    return f"{counts}, evidence {found.height:.3g} of {fresh_goal(params):.0f}"
