"""The ruling: what promotes, what vetoes, what is not known, and what would have changed it."""

from dataclasses import replace

import numpy as np
import pytest

from pipeline.gate import paired, slices, verdict, wealth
from pipeline.gate.contest import Answers
from pipeline.gate.paired import Interval, Pairs
from pipeline.gate.verdict import Evidence
from pipeline.params import Gate

PARAMS = Gate(
    bar=0.01,
    alpha=0.05,
    gold_share=0.1,
    floor=0.6,
    screen=0.05,
    margin=0.02,
    slice_items=100,
    aged_loss=0.005,
    parity_views=8,
    parity_logit=0.001,
    replica=0,
    painted=0,
    bootstrap=200,
    latency_ms=1000.0,
    memory_mb=1000.0,
    size_mb=1000.0,
    seed=1,
)
UNKNOWN = wealth.grown([])
CONVINCED = wealth.grown([("kin", [1] * 40 + [-1] * 15 + [0] * 1500)])
EQUALS = Evidence(Pairs(2000, 30, 30), 1, UNKNOWN, Interval(-0.01, 0.01))


def test_a_clear_winner_on_gold_passes() -> None:
    ruling = verdict.between(replace(EQUALS, gold=Pairs(2000, 60, 20), mcc=Interval(0.0, 0.04)), PARAMS)
    assert ruling.value == "PASS" and "better than the champion: 60 items won" in ruling.reasons[0]


def test_the_same_counts_are_no_proof_at_the_tenth_attempt() -> None:
    gold = Pairs(2000, 50, 24)
    assert paired.mcnemar(50, 24) < verdict.gold_budget(1, PARAMS)
    first, tenth = (
        verdict.between(replace(EQUALS, gold=gold, attempt=k, mcc=Interval(0.0, 0.04)), PARAMS)
        for k in (1, 10)
    )
    assert (first.value, tenth.value) == ("PASS", "INCONCLUSIVE")
    assert any("more gold items" in change for change in tenth.changes)


def test_fresh_items_alone_can_prove_it() -> None:
    ruling = verdict.between(replace(EQUALS, fresh=CONVINCED, mcc=Interval(0.001, 0.04)), PARAMS)
    assert ruling.value == "PASS" and "fresh items" in ruling.reasons[0]


def test_a_proof_is_not_enough_where_the_replica_may_be_worse() -> None:
    ruling = verdict.between(replace(EQUALS, fresh=CONVINCED, mcc=Interval(-0.002, 0.04)), PARAMS)
    assert ruling.value == "INCONCLUSIVE" and "replica" in ruling.reasons[0]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"gold": Pairs(2000, 20, 60)}, "worse than the champion on gold"),
        ({"vetoes": ("night",)}, "loses more than 2% on night"),
        ({"regressions": ("abcdef",)}, "which went wrong before"),
    ],
)
def test_a_fault_fails_even_one_that_was_proved_better(changes: dict[str, object], reason: str) -> None:
    winner = replace(EQUALS, fresh=CONVINCED, mcc=Interval(0.01, 0.04))
    ruling = verdict.between(replace(winner, **changes), PARAMS)  # type: ignore[arg-type]
    assert ruling.value == "FAIL" and any(reason in one for one in ruling.reasons) and ruling.changes


def test_equals_are_inconclusive_and_hear_what_is_missing() -> None:
    ruling = verdict.between(EQUALS, PARAMS)
    assert ruling.value == "INCONCLUSIVE"
    assert "more fresh items" in ruling.changes[0] and "20 more items won on gold" in ruling.changes[1]


def test_near_the_age_limit_one_that_is_not_worse_passes_and_says_why() -> None:
    equal = replace(EQUALS, gold=Pairs(4000, 40, 40))
    assert verdict.between(equal, PARAMS).value == "INCONCLUSIVE"
    due = verdict.between(replace(equal, due=True), PARAMS)
    assert due.value == "PASS" and due.reasons[0].startswith("age:")
    few = replace(equal, gold=Pairs(200, 4, 4), due=True)
    assert verdict.between(few, PARAMS).value == "INCONCLUSIVE"  # not known to be no worse
    assert verdict.between(replace(equal, due=True, vetoes=("night",)), PARAMS).value == "FAIL"


def test_both_ways_to_a_promotion_share_one_budget() -> None:
    everything = sum(verdict.gold_budget(k, PARAMS) for k in range(1, 10_000)) + 1 / verdict.fresh_goal(
        PARAMS
    )
    assert everything <= PARAMS.alpha + 1e-12


def answers(n: int, ours: float, theirs: float | None, seed: int = 0) -> Answers:
    """Items of which each side gets about this share right, independently."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(np.int8)

    def side(share: float) -> np.ndarray:
        return np.where(rng.random(n) < share, labels, 1 - labels) * 0.8 + 0.1

    return Answers(labels, np.arange(n), side(ours), None if theirs is None else side(theirs))


def joined(*parts: Answers) -> Answers:
    keys = ("labels", "families", "challenger", "champion")
    return Answers(*(np.concatenate([getattr(part, key) for part in parts]) for key in keys))


def lost_slice(n: int, lost: int, won: int) -> Answers:
    """Exactly so many items won and lost; the rest both get right."""
    labels = (np.arange(n) % 2).astype(np.int8)
    ours, theirs = labels.astype(float), labels.astype(float)
    ours[:lost] = 1 - ours[:lost]
    theirs[lost : lost + won] = 1 - theirs[lost : lost + won]
    return Answers(labels, np.arange(n), ours, theirs)


def test_one_that_wins_overall_and_loses_a_slice_by_five_points_is_vetoed() -> None:
    whole = joined(answers(1600, 0.97, 0.9), lost_slice(400, lost=24, won=4))  # the slice: -5 points
    parts = {"night": np.arange(1600, 2000), "rain": np.arange(40), "day": np.arange(1600)}
    found = slices.judged(whole, parts, PARAMS)
    assert slices.vetoes(found) == ["night"]
    assert found["day"]["says"] == "not worse"
    assert found["rain"]["says"] == "INCONCLUSIVE" and found["rain"]["needs"] >= 60
    gold = paired.pairs(whole.right, whole.right_before)
    assert gold.gain > 0.01  # it wins overall
    ruling = verdict.between(
        replace(EQUALS, gold=gold, mcc=Interval(0.01, 0.1), vetoes=slices.vetoes(found)), PARAMS
    )
    assert ruling.value == "FAIL" and "loses more than 2% on night" in ruling.reasons[0]


def test_what_a_slice_is_said_to_need_lets_it_speak() -> None:
    few = lost_slice(150, lost=3, won=3)
    more = slices.judged(few, {"night": np.arange(150)}, PARAMS)["night"]
    assert more["says"] == "INCONCLUSIVE"
    whole = 150 + more["needs"]
    enough = lost_slice(whole, lost=round(whole / 50), won=round(whole / 50))
    assert slices.judged(enough, {"night": np.arange(whole)}, PARAMS)["night"]["says"] == "not worse"


def test_a_slice_of_one_label_never_vetoes() -> None:
    labels = np.random.default_rng(0).integers(0, 2, 1000).astype(np.int8)
    bolder = Answers(labels, np.arange(1000), np.full(1000, 0.2), np.full(1000, 0.8))  # the fence has moved
    parts = {"site": np.flatnonzero(labels == 1), "empty": np.flatnonzero(labels == 0)}
    found = slices.judged(bolder, parts, PARAMS)
    assert [one["says"] for one in found.values()] == ["one label only"] * 2


def test_equal_models_are_rarely_vetoed_however_many_slices_are_looked_at() -> None:
    rng, vetoed = np.random.default_rng(5), 0
    for seed in range(60):
        whole = answers(3000, 0.9, 0.9, seed)
        parts = {str(i): rows for i, rows in enumerate(np.array_split(rng.permutation(3000), 20))}
        vetoed += bool(slices.vetoes(slices.judged(whole, parts, PARAMS)))
    assert vetoed <= 7


def test_the_first_champion_needs_only_the_floor() -> None:
    assert verdict.first(answers(300, 0.9, None), PARAMS).value == "PASS"
    assert verdict.first(answers(300, 0.5, None), PARAMS).value == "FAIL"


def test_one_clearly_behind_on_dev_never_sees_gold() -> None:
    ruling = verdict.on_screen(Pairs(300, 5, 80), PARAMS)
    assert ruling and ruling.value == "FAIL" and "gold was not touched" in ruling.reasons[0]
    assert verdict.on_screen(Pairs(300, 30, 30), PARAMS) is None
