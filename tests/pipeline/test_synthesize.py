"""Variations of hard cases: both labels, the case's conditions, within budget, the bad ones dropped."""

from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from pipeline import images, samples, synthesize
from pipeline.params import Synthesize
from pipeline.synthesize.order import Order

PARAMS = Synthesize(painter="procedural", images=10, min_contrast=8.0, seed=72)


def case(image: str, reason: str, **given: object) -> dict[str, object]:
    return {
        "image": image,
        "family": f"family-{image}",
        "reason": reason,
        "score": 0.5,
        "tags": ["night"],
    } | given


def mined(folder: Path, rows: list[dict[str, object]]) -> Path:
    folder.mkdir(exist_ok=True)
    samples.write(samples.frame(rows, samples.MINED), folder)
    return folder


@pytest.fixture
def painted(home: Path) -> pl.DataFrame:
    (home / "out").mkdir()
    rows = [case("a", "mistake"), case("b", "margin"), case("c", "random")]
    synthesize.run(PARAMS, mined(home / "mine", rows), home / "out")
    return samples.read(home / "out")


def test_the_budget_is_spent_on_both_labels_of_hard_cases_only(painted: pl.DataFrame) -> None:
    assert painted.height == 10
    assert painted["label"].sum() == 5
    assert set(painted["parent"]) == {"a", "b"}
    assert set(painted["family"]) == {"family-a", "family-b"}


def test_every_painted_picture_can_be_read_and_traced(painted: pl.DataFrame) -> None:
    for row in painted.iter_rows(named=True):
        assert images.name(images.read(row["image"])) == row["image"]
        assert row["source"] == "procedural" and row["seed"] is not None and "night" in row["tags"]


def test_painting_again_gives_the_same_pictures(painted: pl.DataFrame, home: Path) -> None:
    (home / "again").mkdir()
    synthesize.run(PARAMS, home / "mine", home / "again")
    assert samples.read(home / "again").equals(painted)


def test_a_case_nobody_tagged_keeps_the_light_it_was_taken_in(home: Path) -> None:
    dark = images.put(bytes(cv2.imencode(".png", np.full((32, 32, 3), 20, np.uint8))[1]))
    bright = images.put(bytes(cv2.imencode(".png", np.full((32, 32, 3), 180, np.uint8))[1]))
    assert synthesize.seen(dark) == ("night",)
    assert synthesize.seen(bright) == ()


def test_a_blank_picture_is_dropped_with_its_reason() -> None:
    blank = bytes(cv2.imencode(".jpg", np.full((32, 32, 3), 90, np.uint8))[1])
    assert str(synthesize.faulty(blank, PARAMS)).startswith("blank")
    busy = np.random.default_rng(0).integers(0, 255, (32, 32, 3), dtype=np.uint8)
    assert synthesize.faulty(bytes(cv2.imencode(".jpg", busy)[1]), PARAMS) is None


def test_conditions_the_painter_does_not_know_are_left_to_chance() -> None:
    from pipeline.synthesize import procedural

    order = Order("a", "f", 0, ("night", "level-3", "site"), 1)
    assert procedural._pinned(order) == {"night"}


def test_no_hard_case_paints_nothing(home: Path) -> None:
    (home / "out").mkdir()
    synthesize.run(PARAMS, mined(home / "mine", [case("c", "random")]), home / "out")
    assert samples.read(home / "out").height == 0
