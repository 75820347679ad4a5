"""Nights of challengers as counts: what gold and fresh items say of each, and which rule promotes it when."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.gate import paired, resampling, slices, verdict, wealth
from pipeline.gate.contest import Answers
from pipeline.gate.verdict import Evidence
from pipeline.params import Gate

PSI = 0.03  # share of items on which the two differ
RIGHT = 0.96  # of the champion's answers
GOLD = 2000
A_NIGHT = 100  # fresh items
PARTS = 8  # slices of gold
OTHERS, STREETS = 200, 200  # gold pictures under two more profiles each, and streets, in the replica

Counts = NDArray[np.int64]
Firsts = NDArray[np.int64]  # the first night of each campaign that promotes, from 1; 0 for never


@dataclass(frozen=True)
class Campaigns:
    """Campaign by night: what the challenger of that night wins and loses on gold, and on each fresh item."""

    won: Counts
    lost: Counts
    signs: NDArray[np.int8]  # campaign, night, item
    gains: NDArray[np.float64]  # the true gain of each night's challenger


def drawn(count: int, gains: NDArray[np.float64], kin: bool, seed: int) -> Campaigns:
    """Kin answer gold alike, so that asking again tells nothing new; strangers try their luck on it every
    night, which is the hardest case for a rule that looks nightly."""
    rng = np.random.default_rng(seed)
    won, lost = np.empty((2, count, len(gains)), np.int64)
    signs = np.empty((count, len(gains), A_NIGHT), np.int8)
    for night, gain in enumerate(gains):
        chances = ((PSI + gain) / 2, (PSI - gain) / 2)
        if kin and night and gain == gains[night - 1]:
            won[:, night], lost[:, night] = won[:, night - 1], lost[:, night - 1]
        else:
            won[:, night], lost[:, night], _ = rng.multinomial(GOLD, [*chances, 1 - PSI], size=count).T
        luck = rng.random((count, A_NIGHT))
        signs[:, night] = (luck < chances[0]).astype(np.int8) - (luck > 1 - chances[1]).astype(np.int8)
    return Campaigns(won, lost, signs, gains)


def by_gate(told: Campaigns, params: Gate) -> Firsts:
    """Through the gate's own verdict, asked on every night on which its proofs could stand."""
    wanted = _gold_stands(told, params) | _fresh_stands(told, params)
    return np.array([_first(told, campaign, wanted[campaign], params) for campaign in range(len(wanted))])


def _first(told: Campaigns, campaign: int, wanted: NDArray[np.bool_], params: Gate) -> int:
    for night in np.flatnonzero(wanted):
        if _passes(told, campaign, int(night), params):
            return int(night) + 1
    return 0


def _passes(told: Campaigns, campaign: int, night: int, params: Gate) -> bool:
    won, lost = (int(side[campaign, night]) for side in (told.won, told.lost))
    rng = np.random.default_rng([campaign, night, params.seed])
    gold, replica = _answers(won, lost, float(told.gains[night]), rng)
    assert replica.champion is not None
    sides = (replica.challenger, replica.champion)
    spread = resampling.mcc_difference(
        replica.labels, *sides, replica.families, params.bootstrap, params.seed
    )
    parts = {str(part): rows for part, rows in enumerate(np.array_split(rng.permutation(GOLD), PARTS))}
    fresh = wealth.grown([("kin", one) for one in told.signs[campaign, : night + 1]])
    evidence = Evidence(
        gold=paired.pairs(gold.right, gold.right_before),
        attempt=night + 1,
        fresh=fresh,
        mcc=spread,
        vetoes=slices.vetoes(slices.judged(gold, parts, params)),
    )
    return verdict.between(evidence, params).value == "PASS"


def _answers(won: int, lost: int, gain: float, rng: np.random.Generator) -> tuple[Answers, Answers]:
    """Gold with just these counts, and the replica: gold, other views of some of it, streets."""
    kinds = rng.permutation(np.repeat([1, -1, 0], [won, lost, GOLD - won - lost]))
    again = np.repeat(kinds[:OTHERS], 2)
    # Half of what differs in one view of a picture differs in another, too.
    kept = rng.random(len(again)) < 0.5
    chances = [(PSI + gain) / 2, (PSI - gain) / 2, 1 - PSI]
    others = np.where(kept, again, rng.choice([1, -1, 0], len(again), p=chances))
    streets = rng.choice([1, -1, 0], STREETS, p=chances)
    families = np.concatenate([np.arange(GOLD), np.repeat(np.arange(OTHERS), 2), GOLD + np.arange(STREETS)])
    whole = _sides(np.concatenate([kinds, others, streets]), families, rng)
    return whole.of(np.arange(GOLD)), whole


def _sides(kinds: NDArray[np.int64], families: NDArray[np.int64], rng: np.random.Generator) -> Answers:
    labels = rng.integers(0, 2, len(kinds)).astype(np.int8)
    both = rng.random(len(kinds)) < (RIGHT - PSI / 2) / (1 - PSI)
    ours = np.where(kinds == 0, both, kinds > 0)
    theirs = np.where(kinds == 0, both, kinds < 0)
    said = [np.where(side, labels, 1 - labels).astype(np.float64) for side in (ours, theirs)]
    return Answers(labels, families, said[0], said[1])


def _gold_stands(told: Campaigns, params: Gate) -> NDArray[np.bool_]:
    budgets = np.array([verdict.gold_budget(k, params) for k in range(1, told.won.shape[1] + 1)])
    stands: NDArray[np.bool_] = (_gain(told) >= params.bar) & (_p(told) <= budgets)
    return stands


def _fresh_stands(told: Campaigns, params: Gate) -> NDArray[np.bool_]:
    """Whether the wealth has ever reached its goal by the end of each night, and the gain the bar."""
    count, nights, _ = told.signs.shape
    flat = told.signs.reshape(count, -1)
    won, lost = np.cumsum(flat > 0, axis=1, dtype=np.int32), np.cumsum(flat < 0, axis=1, dtype=np.int32)
    # The wealth moves only where the two differ.
    moved = np.flatnonzero(flat)
    height = np.full(flat.size, -np.inf)
    height[moved] = wealth.log_evidence(won.ravel()[moved], lost.ravel()[moved])
    highest = np.maximum.accumulate(height.reshape(count, -1), axis=1)[:, A_NIGHT - 1 :: A_NIGHT]
    gain = (won - lost)[:, A_NIGHT - 1 :: A_NIGHT] / (A_NIGHT * np.arange(1, nights + 1))
    stands: NDArray[np.bool_] = (highest >= np.log(verdict.fresh_goal(params))) & (gain >= params.bar)
    return stands


def by_fresh_alone(told: Campaigns, params: Gate) -> Firsts:
    """What the fresh items would do without gold and without any veto."""
    return firsts(_fresh_stands(told, params))


Rule = Callable[[Campaigns], NDArray[np.bool_]]


def _gain(told: Campaigns) -> NDArray[np.float64]:
    gain: NDArray[np.float64] = (told.won - told.lost) / GOLD
    return gain


def _p(told: Campaigns) -> NDArray[np.float64]:
    return np.asarray(stats.binom.sf(told.won - 1, told.won + told.lost, 0.5))


def _ladder(told: Campaigns) -> NDArray[np.bool_]:
    """Blum and Hardt's, without a parameter: a new best must lead by one standard error."""
    gain = _gain(told)
    error = np.sqrt((told.won + told.lost) / GOLD - gain**2) / np.sqrt(GOLD)
    leads: NDArray[np.bool_] = gain > error
    return leads


RULES: dict[str, Rule] = {
    "+1 % on gold": lambda told: _gain(told) >= 0.01,
    "McNemar at .05, nightly": lambda told: _p(told) <= 0.05,
    "McNemar, Bonferroni over 90": lambda told: _p(told) <= 0.05 / 90,
    "Ladder": _ladder,
}


def firsts(stands: NDArray[np.bool_]) -> Firsts:
    found: Firsts = np.where(stands.any(axis=1), stands.argmax(axis=1) + 1, 0)
    return found
