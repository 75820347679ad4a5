"""The cases: who is asked about why, one of each burst, a blind draw, and what the champion got wrong."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipeline import images, mine, params, samples, scores
from pipeline.diversity import farthest_first
from pipeline.mine import asked, blind, cold, criteria, deficit, evidence, judged, select
from pipeline.params import Backbone, Fresh, Mine, People
from pipeline.pull.journal import PREDICTIONS

PARAMS = params.load(Path(__file__).parents[2] / "params.yaml").mine
NAN = float("nan")
START = datetime(2026, 1, 1, tzinfo=UTC)
TINY = Backbone(name="efficientnet-lite0", revision=None, width=32, height=32, batch=1)


def rows(scores: list[float], labels: list[int | None] | None = None) -> pl.DataFrame:
    said = labels or [None] * len(scores)
    table = [
        {"image": f"{i:03d}", "source": "challenge", "p": p, "label": label, "at": START}
        for i, (p, label) in enumerate(zip(scores, said, strict=True))
    ]
    return samples.conform(pl.DataFrame(table, schema_overrides={"label": pl.Int8}), samples.PULLED)


def spread(count: int, seed: int = 0, dim: int = 8) -> NDArray[np.float32]:
    return np.random.default_rng(seed).normal(size=(count, dim)).astype(np.float32)


# --- criteria ---------------------------------------------------------------------------------------------


def test_margin_is_whole_on_the_fence_and_gone_where_sure() -> None:
    assert scores.margin(scores.both(np.array([0.5, 1.0, 0.0, 0.25]))) == pytest.approx([1, 0, 0, 0.5])
    assert scores.margin(np.array([[0.5, 0.3, 0.2]])) == pytest.approx([0.8])


def test_entropy_is_whole_where_all_is_possible_and_ranks_two_classes_as_margin() -> None:
    assert criteria.entropy(np.array([[0.25] * 4, [1, 0, 0, 0]])) == pytest.approx([1, 0])
    p = scores.both(np.random.default_rng(0).random(50))
    assert (np.argsort(criteria.entropy(p)) == np.argsort(scores.margin(p))).all()


def test_disagreement_compares_the_latest_of_each_voice_and_takes_a_canary_for_the_champion() -> None:
    said = [
        *[("a", "serve", 0.9), ("a", "shadow", 0.9), ("a", "shadow", 0.2), ("a", "canary", 0.8)],
        *[("b", "serve", 0.1), ("b", "canary", 0.9)],
    ]
    table = told(pl.DataFrame(said, schema=["image", "role", "p"], orient="row"))
    found = criteria.disagreement(table)
    assert found["image"].to_list() == ["a"]
    assert found["score"].to_list() == pytest.approx([0.6])


def test_a_second_opinion_disagrees_with_what_the_bundle_said_alone() -> None:
    said = [("a", 0.6, 0.4, 0.8), ("a", 0.5, 0.4, 0.6), ("b", 0.9, None, None)]
    table = pl.DataFrame(said, schema=["image", "p", "first", "second"], orient="row")
    found = criteria.disagreement(told(table.with_columns(role=pl.lit("serve"))))
    assert found.rows() == [("a", pytest.approx(0.2))]


def told(table: pl.DataFrame) -> pl.DataFrame:
    """As the journal tells them, a minute after the other."""
    numbered = table.with_row_index("id").with_columns(at=pl.lit(START) + pl.duration(minutes="id"))
    return samples.conform(numbered, PREDICTIONS)


def test_views_on_both_sides_of_the_fence_are_unstable() -> None:
    p = np.array([[0.9, 0.8, 0.6, 0.7], [0.9, 0.1, 0.9, 0.1], [0.1, 0.1, 0.1, 0.9]])
    assert criteria.instability(p) == pytest.approx([0, 1, 0.75])


def test_neighbours_vote_the_nearer_the_louder_and_nobody_on_oneself() -> None:
    labelled = np.array([[1, 0], [0.99, 0.1], [0, 1]], np.float32)
    vote = criteria.vote(labelled[:1], labelled, np.array([1, 1, 0]), 2)
    assert vote[0] == pytest.approx([0, 1], abs=1e-4)
    alone = criteria.vote(labelled[:1], labelled, np.array([1, 0, 0]), 2, itself=np.array([0]))
    assert alone[0] == pytest.approx([1, 0], abs=1e-4)
    assert np.isnan(criteria.vote(labelled, labelled[:0], np.zeros(0, int), 2)).all()


def test_contradiction_is_how_far_answer_and_neighbours_are_apart() -> None:
    p = scores.both(np.array([0.9, 0.5]))
    assert criteria.contradiction(p, scores.both(np.array([0.1, 0.5]))) == pytest.approx([0.8, 0])


def test_a_label_is_doubted_only_as_far_as_answer_and_neighbours_both_do() -> None:
    p, vote = (scores.both(np.array(side)) for side in ([0.95, 0.95, 0.1], [0.9, 0.2, 0.0]))
    assert criteria.mistakenness(np.array([0, 0, 0]), p, vote) == pytest.approx([0.9, 0.2, 0])


def test_the_lonely_are_rare_and_copies_of_what_was_seen_are_nothing_new() -> None:
    vectors = np.concatenate([np.tile([1, 0, 0], (5, 1)), [[0, 0, 1]]]).astype(np.float32)
    rare = criteria.rarity(vectors)
    assert rare[:5] == pytest.approx(0, abs=1e-6) and rare[5] == pytest.approx(1)
    assert criteria.novelty(vectors, vectors[:1]) == pytest.approx([0] * 5 + [1], abs=1e-6)
    assert criteria.novelty(vectors, vectors[:0]) == pytest.approx(1)


def test_recency_halves_by_the_clock_of_the_data() -> None:
    at = pl.Series([START, START - timedelta(days=7), None, START - timedelta(days=14)], dtype=samples.MOMENT)
    assert criteria.recency(at, 7) == pytest.approx([1, 0.5, NAN, 0.25], nan_ok=True)


def test_a_slice_is_in_need_where_errors_are_many_or_labels_few() -> None:
    table = pl.DataFrame(
        {"tag": ["night", "day", "rain", None], "answered": [200, 200, 2, 402], "wrong": [80, 10, 1, 91]}
    )
    need = deficit.deficits(table)
    assert min(need["night"], need["rain"]) > need["day"] > 0 and max(need.values()) <= 1
    assert deficit.deficits(table.tail(1)) == {}


def test_a_picture_needs_what_its_neediest_tag_or_else_its_neighbours_need() -> None:
    tags = pl.Series([["day", "night"], [], ["unheard"], None], dtype=pl.List(pl.String))
    own = deficit.deficit(tags, {"day": 0.1, "night": 0.9})
    assert own == pytest.approx([0.9, NAN, NAN, NAN], nan_ok=True)
    axes = np.eye(2, dtype=np.float32)
    got = deficit.inherited(own[:2], axes, axes, np.array([0.2, 0.6]), 1)
    assert got == pytest.approx([0.9, 0.6])
    assert deficit.inherited(own[:2], axes, axes[:0], own[:0], 1) == pytest.approx([0.9, NAN], nan_ok=True)


# --- selection --------------------------------------------------------------------------------------------


def test_quotas_are_filled_in_their_order_and_the_first_gets_what_is_left() -> None:
    vectors, groups = spread(40), np.arange(40)
    scores = {"margin": np.linspace(0.01, 1, 40), "novelty": np.where(np.arange(40) == 3, 0.5, NAN)}
    picks = select.picked(
        vectors, scores, {"margin": 0.6, "novelty": 0.4}, 10, groups, np.zeros(40, bool), 1, 0
    )
    assert picks.reasons == ["margin"] * 6 + ["novelty"] + ["margin"] * 3
    assert sorted(picks.rows) == [3, *range(31, 40)]
    assert [scores[why][row] for row, why in zip(picks.rows, picks.reasons, strict=True)] == picks.scores


@pytest.mark.parametrize(
    ("shares", "count", "expected"),
    [([0.7, 0.2, 0.1], 10, [7, 2, 1]), ([1, 1, 1], 10, [4, 3, 3]), ([0.5], 3, [3]), ([0.0], 3, [0])],
)
def test_portions_are_whole_and_sum_up(shares: list[float], count: int, expected: list[int]) -> None:
    assert select.portions(shares, count) == expected


def test_one_of_a_burst_is_asked_about_and_none_where_one_is_known() -> None:
    scenes = spread(6, 1, 32)
    frames = np.repeat(scenes, 5, axis=0) + np.random.default_rng(2).normal(0, 1e-3, (30, 32))
    groups, done = select.bursts(frames.astype(np.float32), scenes[:1], 0.98)
    assert len(np.unique(groups)) == 6 and done.tolist() == [True] * 5 + [False] * 25
    margin = np.random.default_rng(3).random(30)
    picks = select.picked(frames, {"margin": margin}, {"margin": 1.0}, 10, groups, done, 3, 0)
    assert sorted(row // 5 for row in picks.rows) == [1, 2, 3, 4, 5]
    assert all(margin[row] == margin[row // 5 * 5 : row // 5 * 5 + 5].max() for row in picks.rows)


def test_the_unsure_of_every_cluster_go_before_a_crowd_of_the_same_kind() -> None:
    clusters = np.repeat(np.eye(4, dtype=np.float32), 10, axis=0) + 0.05 * spread(40, 4, 4)
    score = np.where(np.arange(40) < 10, 0.9, 0.8)
    rows = select.diverse(clusters, score, np.argsort(-score, kind="stable"), 4, 0)
    assert sorted(int(row) // 10 for row in rows) == [0, 1, 2, 3]


def test_with_few_labels_what_stands_for_many_is_asked_about_first() -> None:
    crowd, lonely = np.array([[1, 0, 0]]) + 0.05 * spread(30, 5, 3), np.array([[0, 1, 0.0]])
    vectors = np.concatenate([crowd, lonely]).astype(np.float32)
    free = np.arange(31), np.zeros(31, bool)
    picks = cold.typical(vectors, vectors[:0], *free, 2, 0)
    assert set(picks.reasons) == {"typical"} and picks.rows[0] < 30 and 30 in picks.rows
    # Where the crowd holds a label already, the others come first.
    assert cold.typical(vectors, crowd[:1].astype(np.float32), *free, 1, 0).rows == [30]


def test_scores_are_not_asked_for_before_there_are_labels_to_believe_them() -> None:
    def unasked() -> asked.Scores:
        raise AssertionError("the champion was believed")

    vectors = spread(30)
    few = PARAMS.model_copy(update={"cold": 5})
    assert set(asked.chosen(vectors, spread(4, 1), unasked, few, 6).reasons) == {"typical"}
    told: asked.Scores = {"margin": np.ones(30)}
    assert set(asked.chosen(vectors, spread(5, 1), lambda: told, few, 6).reasons) == {"margin"}


@settings(max_examples=40)
@given(
    st.integers(0, 40),
    st.integers(0, 30),
    st.integers(0, 60),
    st.sampled_from([0, 10]),
    st.integers(0, 2**16),
)
def test_whatever_waits_no_picture_is_picked_twice_nor_more_than_wanted(
    waiting: int, known: int, count: int, cold_until: int, seed: int
) -> None:
    dice = np.random.default_rng(seed)
    vectors = dice.normal(size=(waiting, 5)).astype(np.float32)[dice.integers(0, max(waiting, 1), waiting)]
    labelled = dice.normal(size=(known, 5)).astype(np.float32)
    numbers = PARAMS.model_copy(update={"cold": cold_until, "seed": seed})
    told: asked.Scores = {
        "margin": dice.random(waiting),
        "novelty": np.where(dice.random(waiting) < 0.5, NAN, dice.random(waiting)),
    }
    picks = asked.chosen(vectors, labelled, lambda: told, numbers, count)
    assert len(picks.rows) == len(set(picks.rows)) == len(picks.reasons) == len(picks.scores) <= count
    groups, done = select.bursts(vectors, labelled, numbers.burst) if waiting else (np.zeros(0, int),) * 2
    assert len(set(groups[picks.rows])) == len(picks.rows) and not done[picks.rows].any()
    again = asked.chosen(vectors, labelled, lambda: told, numbers, count)
    assert again == picks


def test_the_shortlist_holds_the_leaders_of_every_table_and_ignores_their_order() -> None:
    table = rows([0.5] + [0.99] * 20).with_columns(at=pl.Series([START] * 20 + [START + timedelta(days=1)]))
    voices = pl.DataFrame({"image": ["007"], "score": [0.9]})
    kept = evidence.shortlist(table, voices, 3)
    assert kept["image"].to_list() == ["000", "007", "020"]
    assert evidence.shortlist(table.reverse(), voices, 3).equals(kept)
    assert evidence.shortlist(table, voices, 100).height == 21


# --- the blind draw, mistakes -----------------------------------------------------------------------------


def test_a_blind_draw_is_even_and_says_its_chance() -> None:
    waiting = rows(list(np.linspace(0, 1, 40)))
    hits = np.zeros(40)
    for seed in range(400):
        drawn = blind.drawn(waiting, 10, seed)
        assert drawn["probability"].to_list() == [0.25] * 10
        hits[[int(image) for image in drawn["image"]]] += 1
    assert abs(hits - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)


def test_a_draw_does_not_depend_on_the_order_of_rows() -> None:
    waiting = rows(list(np.linspace(0, 1, 40)))
    mixed = waiting.sample(fraction=1, shuffle=True, seed=1)
    assert set(blind.drawn(waiting, 5, 7)["image"]) == set(blind.drawn(mixed, 5, 7)["image"])


def test_the_blind_draw_is_made_of_what_is_set_aside_while_that_lasts() -> None:
    table = rows(list(np.linspace(0, 1, 100))).with_columns(family=pl.col("image"))
    aside, rest = blind.parted(table, 0.2)
    assert aside.height + rest.height == 100 and 8 < aside.height < 32
    assert set(blind.blindly(aside, rest, 5, 1)["image"]) <= set(aside["image"])
    many = blind.blindly(aside, rest, aside.height + 7, 1)
    assert set(aside["image"]) <= set(many["image"]) and many["image"].n_unique() == aside.height + 7
    none_aside = blind.parted(table, 0.0)
    assert none_aside[0].height == 0 and none_aside[1].height == 100


@pytest.mark.parametrize("count", [0, 1, 7, 20])
def test_farthest_first_equals_brute_force(count: int) -> None:
    vectors = np.random.default_rng(count).normal(size=(20, 6)).astype(np.float32)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    picked: list[int] = []
    while len(picked) < count:
        rest = [i for i in range(20) if i not in picked]
        picked.append(min(rest, key=lambda i: max((unit[i] @ unit[j] for j in picked), default=0)))
    assert farthest_first(vectors, count) == picked


def test_mistakes_are_what_people_contradict() -> None:
    wrong = judged.mistakes(rows([0.9, 0.8, 0.1, 0.3], [1, 0, 1, 0]), 10)
    assert sorted(wrong["image"]) == ["001", "002"]
    assert set(wrong["reason"]) == {"mistake"}


# --- the stage --------------------------------------------------------------------------------------------

NONE = People(dataset=None, labels="")


@pytest.fixture
def mined(home: Path, picture: Callable[..., bytes]) -> Callable[..., pl.DataFrame]:
    """Runs the stage on so many waiting and labelled pictures of noise."""

    def run(numbers: Mine, waiting: int, labelled: int, share: float = 0.0) -> pl.DataFrame:
        names = [images.put(picture(seed, 32, 32)) for seed in range(waiting + labelled)]
        p = np.random.default_rng(0).random(len(names)).tolist()
        said = [None] * waiting + [n % 2 for n in range(labelled)]
        table = rows(p, said).with_columns(  # type: ignore[arg-type]
            image=pl.Series(names, dtype=pl.String),
            family=pl.Series(names, dtype=pl.String),
            profile=pl.lit("native"),
            tags=pl.lit(["night"], pl.List(pl.String)),
        )
        answers = table.select("image", "at", "p", id="image", role=pl.lit("serve"))
        answers = samples.conform(answers, PREDICTIONS)
        shadows = answers.head(3).with_columns(
            role=pl.lit("shadow"), p=1 - pl.col("p"), id=pl.col("id") + "s"
        )
        for name in ("pull", "out"):
            (home / name).mkdir(exist_ok=True)
        samples.write(table, home / "pull")
        samples.write(pl.concat([answers, shadows]), home / "pull", "predictions.parquet")
        mine.run(numbers, TINY, NONE, Fresh(share=share, days=14), home / "pull", home / "out")
        return samples.read(home / "out")

    return run


def test_a_night_asks_by_every_criterion_that_has_a_quota(mined: Callable[..., pl.DataFrame]) -> None:
    quotas = dict.fromkeys(PARAMS.quotas, 0.1)
    # Noise looks alike to any network: here no two pictures are a burst.
    numbers = PARAMS.model_copy(
        update={"cases": 20, "quotas": quotas, "cold": 4, "mistakes": 3, "burst": 1.0}
    )
    cases = mined(numbers, 40, 12)
    waiting = cases.filter(pl.col("label").is_null())
    assert waiting.height == waiting["image"].n_unique() == 20
    assert set(waiting["reason"]) >= {"margin", "random", "entropy", "disagreement", "neighbours", "rarity"}
    assert waiting["probability"].is_between(0, 1, closed="right").all()
    assert set(cases.filter(pl.col("label").is_not_null())["reason"]) <= {"mistake", "doubtful"}
    assert set(waiting["image"]) <= set(samples.asked(cases)["image"])
    assert mined(numbers, 40, 12).equals(cases)


def test_a_mistake_that_its_neighbours_deny_is_a_doubtful_label_and_shown_again() -> None:
    # Three streets alike, two called clear; the champion is as sure that the third is clear as can be.
    vectors = np.array([[1, 0], [1, 0.01], [1, 0.02], [0, 1]], np.float32)
    table = rows([0.1, 0.1, 0.05, 0.9], [0, 0, 1, 1])
    known = evidence.Evidence(table[:0], table, vectors[:0], vectors, vectors, table[:0], table[:0])
    wrong = judged.mistakes(table, 10)
    assert wrong["image"].to_list() == ["002"]
    told = mine.doubted(wrong, vectors[2:3], known, PARAMS.doubt)
    assert told["reason"].to_list() == ["doubtful"] and samples.asked(told).height == 1
    assert mine.doubted(wrong, vectors[3:], known, PARAMS.doubt)["reason"].to_list() == ["mistake"]


def test_a_night_without_labels_begins_with_the_typical(mined: Callable[..., pl.DataFrame]) -> None:
    cases = mined(PARAMS.model_copy(update={"cases": 5, "burst": 1.0, "random": 0.2}), 12, 0)
    assert dict(cases.group_by("reason").len().iter_rows()) == {"typical": 4, "random": 1}


def test_what_is_set_aside_is_only_ever_drawn_blindly(mined: Callable[..., pl.DataFrame]) -> None:
    cases = mined(PARAMS.model_copy(update={"cases": 12, "cold": 4, "burst": 1.0}), 30, 8, share=0.4)
    assert set(cases.filter(samples.aside(cases, 0.4))["reason"]) <= {"random"}


def test_a_blind_night_draws_and_looks_at_nothing(mined: Callable[..., pl.DataFrame]) -> None:
    cases = mined(PARAMS.model_copy(update={"cases": 5, "random": 1.0, "mistakes": 0}), 12, 8)
    assert cases["reason"].to_list() == ["random"] * 5


def test_an_empty_night_mines_nothing(mined: Callable[..., pl.DataFrame]) -> None:
    assert mined(PARAMS, 0, 0).schema == pl.Schema(samples.MINED)
