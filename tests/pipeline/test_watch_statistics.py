"""The watch's arithmetic: how often it accuses a good model, and how soon it sees a bad one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline import params
from pipeline.params import Rollout
from pipeline.rollout import cusum, looks, signals
from pipeline.rollout.looks import Looks
from pipeline.rollout.signals import Expected, Seen, Side

GATE = {"gold": {"n": 2000, "won": 40, "lost": 20}}


@pytest.fixture(scope="module")
def numbers() -> Rollout:
    return params.load().rollout


def campaign(
    generator: np.random.Generator, numbers: Rollout, psi: float, end: int, **bad: float
) -> int | None:
    """Answers of both after which a model was taken back, if it was, through the watch's own looks.

    Half the pictures are positive, the old one is right on 96 %, and the two differ on psi of the answers.
    """
    labels = generator.random(end) < 0.5
    old = labels ^ (generator.random(end) > 0.96)
    new = old ^ (generator.random(end) < psi)
    errors = generator.random(end) < bad.get("errors", 0.0)
    sure = np.clip(generator.normal([[0.96], [0.96 - bad.get("fell", 0.0)]], 0.05, (2, end)), 0.5, 1.0)
    been, expected = Looks(), signals.expected(GATE, numbers)
    for n in range(1, end + 1):
        if not looks.due(n, been.items, numbers):
            continue
        sides = [
            Side(n, int(said[:n].sum()), int(failed[:n].sum()), 0, float(confidence[:n].mean()), 5.0)
            for said, failed, confidence in ((old, errors & False, sure[0]), (new, errors, sure[1]))
        ]
        found = looks.look(been, Seen(n, int((old[:n] != new[:n]).sum()), *sides), expected, numbers)
        assert found
        been = found.looks
        if found.alarm:
            return n
    return None


def test_a_good_model_is_taken_back_no_more_often_than_is_stated(numbers: Rollout) -> None:
    generator = np.random.default_rng(6)
    taken = sum(campaign(generator, numbers, 0.03, 2300) is not None for _ in range(400))
    # alpha is 1 %: of 400 roll-outs, each looked at a dozen times, more than 9 would be one in a hundred.
    assert stats.binomtest(taken, 400, numbers.alpha, "greater").pvalue > 0.01
    assert taken <= 100 * numbers.alpha * 4


@pytest.mark.parametrize("psi", [0.15, 0.25, 0.5])
def test_a_bad_model_is_seen_within_the_items_that_were_predicted(numbers: Rollout, psi: float) -> None:
    generator = np.random.default_rng(7)
    by = looks.seen_by(psi, signals.expected(GATE, numbers), numbers, power=0.9)
    found = [campaign(generator, numbers, psi, by) for _ in range(60)]
    assert sum(at is not None for at in found) >= 48


def test_each_signal_sees_its_own_fault(numbers: Rollout) -> None:
    generator = np.random.default_rng(8)
    assert campaign(generator, numbers, 0.03, 400, errors=0.08) is not None
    assert campaign(generator, numbers, 0.03, 2300, fell=0.2) is not None


def test_one_that_answers_like_its_predecessor_is_not_the_one_that_the_gate_judged(numbers: Rollout) -> None:
    side = Side(400, 200, 0, 0, 0.96, 5.0)
    found = looks.look(Looks(), Seen(400, 1, side, side), Expected(0.1, 0.2), numbers)
    assert found and found.alarm and found.worst and found.worst.signal == "disagreement"


def test_a_slow_one_is_seen_and_a_little_slower_is_not(numbers: Rollout) -> None:
    old = Side(100, 50, 0, 0, 0.96, 8.0)
    for ms, fine in ((12.9, True), (15.9, True), (16.1, False)):
        found = signals.latency(old, replace(old, ms_p50=ms), numbers)
        assert found and bool(found.p) is fine
    quick = replace(old, ms_p50=0.2)
    found = signals.latency(quick, replace(old, ms_p50=4.0), numbers)
    assert found and found.p == 1.0  # twenty times nothing is nothing


@pytest.mark.parametrize(("accuracy", "after"), [(0.94, 900), (0.92, 260), (0.90, 130)])
def test_audited_labels_find_a_fall_as_soon_as_the_arithmetic_says(
    numbers: Rollout, accuracy: float, after: int
) -> None:
    generator = np.random.default_rng(9)
    good, bad = 0.96, 0.96 - numbers.accuracy_drop
    found = [cusum.alarmed(generator.random(20_000) < accuracy, good, bad, numbers.cusum) for _ in range(400)]
    assert np.mean([at or 20_000 for at in found]) == pytest.approx(after, rel=0.25)


def test_audited_labels_leave_a_good_one_alone(numbers: Rollout) -> None:
    generator = np.random.default_rng(10)
    good, bad = 0.96, 0.96 - numbers.accuracy_drop
    alarms = [cusum.alarmed(generator.random(900) < 0.96, good, bad, numbers.cusum) for _ in range(300)]
    assert sum(at is not None for at in alarms) <= 45


def test_all_looks_together_stay_within_alpha(numbers: Rollout) -> None:
    spent = sum(looks.budget(look, numbers) for look in range(1, 10_000)) * signals.SIGNALS
    assert spent <= numbers.alpha


@settings(max_examples=60)
@given(st.integers(1, 2000), st.data())
def test_disagreement_is_the_exact_binomial_and_grows_with_what_differs(n: int, data: st.DataObject) -> None:
    differ = data.draw(st.integers(0, n - 1))
    side = Side(n, 0, 0, 0, None, None)
    expected = Expected(0.02, 0.05)

    def p(count: int) -> float:
        found = signals.disagreement(Seen(n, count, side, side), expected)
        assert found
        return found.p

    more = stats.binomtest(differ, n, 0.05, "greater").pvalue
    less = stats.binomtest(differ, n, 0.02, "less").pvalue
    assert p(differ) == pytest.approx(min(1, 2 * min(more, less)))
    if differ / n > 0.05:
        assert p(differ + 1) <= p(differ) + 1e-12


@settings(max_examples=60)
@given(*[st.integers(0, 300)] * 2, *[st.integers(1, 3000)] * 2)
def test_a_shift_within_the_margin_never_accuses(a: int, b: int, n: int, m: int) -> None:
    a, b = min(a, n), min(b, m)
    found = signals.positives(Side(n, a, 0, 0, None, None), Side(m, b, 0, 0, None, None), 0.05)
    assert found and 0 <= found.p <= 1
    if abs(a / n - b / m) <= 0.05:
        assert found.p == 1


@given(st.floats(0.5, 1.0), st.integers(1, 1000))
def test_no_numbers_between_a_half_and_one_spread_wider_than_is_assumed(mean: float, n: int) -> None:
    """The widest have only halves and ones; their variance is what is taken, or more."""
    assert signals._widest(mean, n) >= (mean - 0.5) * (1 - mean) / n - 1e-12


def test_what_the_gate_measured_is_expected_with_its_interval_and_slack(numbers: Rollout) -> None:
    found = signals.expected(GATE, numbers)
    interval = stats.binomtest(60, 2000).proportion_ci(0.99, "exact")
    assert (found.low, found.high) == (
        pytest.approx(interval.low - numbers.slack),
        pytest.approx(interval.high + numbers.slack),
    )
    assert signals.expected({"scores": {}}, numbers) == Expected(0.0, numbers.disagreement)
