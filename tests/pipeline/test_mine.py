"""The cases: the uncertain and diverse, a blind draw, and what the champion got wrong."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import mine, samples
from pipeline.diversity import farthest_first
from pipeline.mine import blind, judged


def rows(scores: list[float], labels: list[int | None] | None = None) -> pl.DataFrame:
    said = labels or [None] * len(scores)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    table = [
        {"image": f"{i:03d}", "source": "challenge", "p": p, "label": label, "at": at}
        for i, (p, label) in enumerate(zip(scores, said, strict=True))
    ]
    return samples.conform(pl.DataFrame(table, schema_overrides={"label": pl.Int8}), samples.PULLED)


def test_the_nearest_to_the_fence_comes_first() -> None:
    assert mine.scored(rows([0.9, 0.5, 0.2, 0.45]))["image"].to_list() == ["001", "003", "002", "000"]


def test_a_blind_draw_is_even_and_says_its_chance() -> None:
    waiting = mine.scored(rows(list(np.linspace(0, 1, 40))))
    hits = np.zeros(40)
    for seed in range(400):
        drawn = blind.drawn(waiting, 10, seed)
        assert drawn["probability"].to_list() == [0.25] * 10
        hits[[int(image) for image in drawn["image"]]] += 1
    assert abs(hits - 100).max() < 5 * np.sqrt(400 * 0.25 * 0.75)


def test_a_draw_does_not_depend_on_the_order_of_rows() -> None:
    waiting = mine.scored(rows(list(np.linspace(0, 1, 40))))
    mixed = waiting.sample(fraction=1, shuffle=True, seed=1)
    assert set(blind.drawn(waiting, 5, 7)["image"]) == set(blind.drawn(mixed, 5, 7)["image"])


def test_the_blind_draw_is_made_of_what_is_set_aside_while_that_lasts() -> None:
    table = rows(list(np.linspace(0, 1, 100))).with_columns(family=pl.col("image"))
    aside, rest = blind.parted(mine.scored(table), 0.2)
    assert aside.height + rest.height == 100 and 8 < aside.height < 32
    assert set(blind.blindly(aside, rest, 5, 1)["image"]) <= set(aside["image"])
    many = blind.blindly(aside, rest, aside.height + 7, 1)
    assert set(aside["image"]) <= set(many["image"]) and many["image"].n_unique() == aside.height + 7
    none_aside = blind.parted(mine.scored(table), 0.0)
    assert none_aside[0].height == 0 and none_aside[1].height == 100


def test_near_copies_are_not_picked_while_others_wait() -> None:
    clusters = np.repeat(np.eye(4, dtype=np.float32), 5, axis=0)
    clusters += np.random.default_rng(0).normal(0, 0.01, clusters.shape).astype(np.float32)
    assert sorted(i // 5 for i in farthest_first(clusters, 4)) == [0, 1, 2, 3]


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


def test_an_empty_night_mines_nothing(home: Path) -> None:
    from pipeline.params import Backbone, Fresh, Mine, People

    for name in ("pull", "out"):
        (home / name).mkdir()
    samples.write(samples.frame([], samples.PULLED), home / "pull")
    params = Mine(cases=5, random=0.2, margin_pool=3, mistakes=5, seed=1)
    backbone = Backbone(name="efficientnet-lite0", revision=None, width=224, height=224, batch=4)
    people, fresh = People(dataset=None, labels=""), Fresh(share=0.1, days=14)
    mine.run(params, backbone, people, fresh, home / "pull", home / "out")
    assert samples.read(home / "out").schema == pl.Schema(samples.MINED)
