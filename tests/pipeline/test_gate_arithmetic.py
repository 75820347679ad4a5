"""The gate's arithmetic against scipy, brute force and the figures it was designed with."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import comb

from pipeline.gate import statistics
from pipeline.gate.contest import Answers, Parity, compared
from pipeline.gate.verdict import between, first, on_parity, on_screen
from pipeline.params import Gate

PARAMS = Gate(
    bar=0.01,
    alpha=0.05,
    floor=0.6,
    screen=0.05,
    margin=0.05,
    parity_views=8,
    parity_logit=0.001,
    bootstrap=200,
    seed=1,
)
counts = st.integers(0, 60)


@given(counts, counts)
def test_mcnemar_is_the_exact_sign_test(won: int, lost: int) -> None:
    n = won + lost
    brute = sum(comb(n, k, exact=True) for k in range(won, n + 1)) / 2**n
    assert statistics.mcnemar(won, lost) == pytest.approx(brute)
    if n:
        test = stats.binomtest(won, n, 0.5, alternative="greater")
        assert statistics.mcnemar(won, lost) == pytest.approx(test.pvalue)


@given(counts, counts)
def test_one_more_win_never_speaks_against_the_challenger(won: int, lost: int) -> None:
    assert statistics.mcnemar(won + 1, lost) <= statistics.mcnemar(won, lost)


def test_all_attempts_together_never_spend_more_than_the_budget() -> None:
    assert sum(statistics.spent(0.05, k) for k in range(1, 100_000)) <= 0.05


def test_equal_models_pass_within_the_budget_in_ninety_nights() -> None:
    generator = np.random.default_rng(72)
    promoted = 0
    for _ in range(400):
        won = generator.binomial(60, 0.5, size=90)  # psi .03 of 2000 gold items, a new challenger every night
        promoted += any(
            statistics.mcnemar(w, 60 - w) <= statistics.spent(0.05, k) for k, w in enumerate(won, 1)
        )
    assert promoted / 400 <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def power(n: int, psi: float, gain: float, rounds: int = 4000) -> float:
    """How often the exact test at .05 sees a gain that is there."""
    chances = [(psi + gain) / 2, (psi - gain) / 2, 1 - psi]
    drawn = np.random.default_rng(1).multinomial(n, chances, size=rounds)
    return float(np.mean([statistics.mcnemar(won, lost) <= 0.05 for won, lost, _ in drawn]))


def test_the_items_said_to_be_needed_are_nearly_enough() -> None:
    pair = statistics.Pairs(n=2000, won=40, lost=20)  # psi .03, gain .01
    needed = statistics.items_needed(pair, 0.05, 0.01)
    assert 0.75 < power(needed, 0.03, 0.01) < 0.82  # the exact test is a little shy of the formula's 80 %
    assert power(1993, 0.03, 0.01) == pytest.approx(0.8, abs=0.03)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=50))
def test_mcc_is_the_correlation_of_answers_and_labels(items: list[tuple[bool, bool]]) -> None:
    labels, said = (np.array(side) for side in zip(*items, strict=True))
    expected = np.corrcoef(labels, said)[0, 1] if labels.std() and said.std() else 0.0
    assert statistics.mcc(labels.astype(np.int8), said.astype(float)) == pytest.approx(expected, abs=1e-9)


def test_a_bootstrap_over_families_is_wider_than_one_that_forgets_them() -> None:
    generator = np.random.default_rng(0)
    families = np.repeat(np.arange(40), 10)
    labels = np.repeat(generator.integers(0, 2, 40), 10).astype(np.int8)
    ours = np.repeat(generator.random(40), 10)
    theirs = np.repeat(generator.random(40), 10)
    whole = statistics.bootstrap_mcc_difference(labels, ours, theirs, families, 300, 1)
    single = statistics.bootstrap_mcc_difference(labels, ours, theirs, np.arange(400), 300, 1)
    assert whole.high - whole.low > 2 * (single.high - single.low)


def answers(n: int, ours: float, theirs: float | None, seed: int = 0) -> Answers:
    """Items of which each side gets about this share right, independently."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, n).astype(np.int8)

    def side(share: float) -> np.ndarray:
        return np.where(generator.random(n) < share, labels, 1 - labels) * 0.8 + 0.1

    return Answers(labels, np.arange(n), side(ours), None if theirs is None else side(theirs))


def test_a_clear_winner_passes_and_says_by_how_much() -> None:
    ruling = between(answers(600, 0.9, 0.7), {}, 1, PARAMS)
    assert ruling.value == "PASS"
    assert "items won" in ruling.reasons[0]


def test_a_worse_one_fails() -> None:
    assert between(answers(600, 0.7, 0.9), {}, 1, PARAMS).value == "FAIL"


def test_equals_are_inconclusive_and_hear_what_is_missing() -> None:
    ruling = between(answers(600, 0.8, 0.8), {}, 1, PARAMS)
    assert ruling.value == "INCONCLUSIVE"


def test_a_promising_one_hears_how_many_items_would_decide() -> None:
    ruling = between(answers(150, 0.84, 0.8, seed=3), {}, 1, PARAMS)
    assert ruling.value == "INCONCLUSIVE"
    assert "more gold items would decide it" in ruling.reasons[0]


def test_a_lost_slice_vetoes_a_winner_and_a_small_one_says_how_many_it_needs() -> None:
    good, bad = answers(800, 0.95, 0.6), answers(200, 0.6, 0.95, seed=1)
    both = Answers(
        *(
            np.concatenate([getattr(good, k), getattr(bad, k)])
            for k in ("labels", "families", "challenger", "champion")
        )
    )
    ruling = between(both, {"night": np.arange(800, 1000), "rain": np.arange(40)}, 1, PARAMS)
    assert ruling.value == "FAIL"
    assert "loses more than 5% on night" in ruling.reasons[0]
    assert ruling.evidence["slices"]["rain"]["needs"] == 60


def test_a_slice_of_one_label_never_vetoes() -> None:
    both = answers(1000, 0.8, 0.8)
    assert both.champion is not None
    bolder = Answers(
        both.labels, both.families, np.full(1000, 0.2), np.full(1000, 0.8)
    )  # the fence has moved
    positives, negatives = (np.flatnonzero(both.labels == kind) for kind in (1, 0))
    evidence = between(bolder, {"site": positives, "empty": negatives}, 1, PARAMS).evidence
    assert [found["says"] for found in evidence["slices"].values()] == ["one label only"] * 2


def test_holm_keeps_the_error_of_all_slices_together() -> None:
    assert statistics.holm({"a": 0.001, "b": 0.03, "c": 0.04}, 0.05) == {"a"}
    assert statistics.holm({"a": 0.001, "b": 0.02, "c": 0.04}, 0.05) == {"a", "b", "c"}
    assert statistics.holm({}, 0.05) == set()
    drawn = np.random.default_rng(0).random((2000, 20))
    false = sum(bool(statistics.holm({str(i): p for i, p in enumerate(ps)}, 0.05)) for ps in drawn)
    assert false / 2000 == pytest.approx(0.05, abs=0.02)


def test_the_first_champion_needs_only_the_floor() -> None:
    assert first(answers(300, 0.9, None), PARAMS).value == "PASS"
    assert first(answers(300, 0.5, None), PARAMS).value == "FAIL"


def test_one_clearly_behind_on_dev_never_sees_gold() -> None:
    ruling = on_screen(answers(300, 0.6, 0.9), PARAMS)
    assert ruling and ruling.value == "FAIL" and "gold was not touched" in ruling.reasons[0]
    assert on_screen(answers(300, 0.9, 0.9), PARAMS) is None


def test_parity_names_what_differs() -> None:
    logits = np.linspace(-2, 2, 100)
    assert on_parity(compared(logits, logits + 1e-4), PARAMS) is None
    off = on_parity(compared(logits, logits + 0.5), PARAMS)
    assert off and off.value == "FAIL" and len(off.reasons) == 2
    assert compared(np.array([0.001]), np.array([-0.001])) == Parity(1, pytest.approx(0.002), 1, 0)
