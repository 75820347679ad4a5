"""One table; a family stands on one side of the split for ever."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_runtime.errors import Fixable
from pipeline import assemble, samples
from pipeline.params import Assemble, Backbone, Fresh, Proof

PARAMS = Assemble(dev=0.3, synthetic_weight=0.5, mistake_weight=1.5, proof=Proof(rows=200, slice_rows=40))
NONE = Backbone(name="none is asked", revision=None, width=32, height=32, batch=1)
FRESH = Fresh(share=0.5, days=14)


def row(image: str, **given: object) -> dict[str, object]:
    return {"image": image, "source": "base", "family": image, "label": 0, "tags": []} | given


def write(home: Path, pulled: list[dict[str, object]], painted: list[dict[str, object]]) -> pl.DataFrame:
    for name, rows, schema in (
        ("pull", pulled, samples.PULLED),
        ("mine", [], samples.MINED),
        ("synthesize", painted, samples.PAINTED),
        ("out", [], samples.PULLED),
    ):
        (home / name).mkdir(exist_ok=True)
        samples.write(samples.frame(rows, schema), home / name)
    assemble.run(PARAMS, FRESH, NONE, home / "pull", home / "mine", home / "synthesize", home / "out")
    return samples.read(home / "out")


def test_only_what_has_a_label_is_learned_from(home: Path) -> None:
    table = write(home, [row("a"), row("b", label=None)], [])
    assert table["image"].to_list() == ["a"]


def test_gold_is_the_holdout_and_nothing_else_is(home: Path) -> None:
    pulled = [row(f"b{i}") for i in range(50)] + [row(f"g{i}", source="gold") for i in range(9)]
    held = write(home, pulled, []).filter(pl.col("split") == "holdout")
    assert set(held["source"]) == {"gold"}
    assert held.height == 9


def test_a_picture_keeps_its_side_whatever_joins_it(home: Path) -> None:
    few = write(home, [row(f"b{i}") for i in range(20)], [])
    many = write(home, [row(f"b{i}") for i in range(200)], [])
    sides = dict(many.select("image", "split").iter_rows())
    assert all(sides[image] == split for image, split in few.select("image", "split").iter_rows())


def test_the_dev_share_is_about_what_was_asked() -> None:
    shares = [samples.share(f"family-{i}", "split") for i in range(5000)]
    assert abs(sum(s < 0.3 for s in shares) / 5000 - 0.3) < 0.03


@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["base", "gold", "painted"])), max_size=40))
def test_no_family_ever_stands_on_two_sides(kinds: list[tuple[int, str]]) -> None:
    rows = [
        row(f"i{n}", family=f"f{f}", source=kind, parent="p" if kind == "painted" else None)
        for n, (f, kind) in enumerate(kinds)
    ]
    table = samples.conform(samples.frame([], samples.ASSEMBLED), samples.ASSEMBLED)
    if rows:
        painted = samples.frame(
            [{k: v for k, v in r.items() if k in samples.PAINTED} for r in rows], samples.PAINTED
        )
        table = samples.conform(painted, samples.ASSEMBLED)
    done = assemble.without_tests_kin(assemble.divided(table, 0.3, FRESH))
    assemble.refuse_leaks(done)
    assert not done.filter(pl.col("parent").is_not_null() & (pl.col("split") != "train")).height


def labelled(image: str, days_ago: int, **given: object) -> dict[str, object]:
    at = datetime(2026, 11, 20, tzinfo=UTC) - timedelta(days=days_ago)
    return row(image, source="challenge", labelled_at=at) | given


def test_young_labels_of_what_is_set_aside_test_and_train_later(home: Path) -> None:
    young = write(home, [labelled(f"i{i}", 3) for i in range(40)] + [labelled("now", 0)], [])
    old = write(home, [labelled(f"i{i}", 20) for i in range(40)] + [labelled("now", 0)], [])
    rolling = set(young.filter(split="rolling")["image"])
    assert 8 < len(rolling) < 32
    assert rolling == set(young.filter(samples.aside(young, 0.5))["image"])
    assert set(old.filter(split="rolling")["image"]) <= {"now"}
    assert old.height == 41  # all that has left the window trains


def test_an_incident_is_a_regression_case_and_its_kin_never_trains(home: Path) -> None:
    incident = labelled("i", 30, tags=["incident", "night"])
    painted = row("p", source="procedural", family="i", parent="i")
    table = write(home, [incident, row("a")], [painted])
    assert dict(table.select("image", "split").iter_rows())["i"] == "regression"
    assert "p" not in table["image"]


def test_a_leak_is_refused_by_name() -> None:
    rows = [row("a", family="f", split="train"), row("b", family="f", split="holdout")]
    with pytest.raises(Fixable, match="family f stands in holdout and train"):
        assemble.refuse_leaks(samples.frame(rows, samples.ASSEMBLED))


def test_painted_pictures_weigh_less_and_mistakes_more() -> None:
    rows = [row("a"), row("b", reason="mistake"), row("c", parent="a")]
    weights = assemble.weighted(samples.frame(rows, samples.ASSEMBLED), PARAMS)["weight"].to_list()
    assert weights == [1.0, 1.5, 0.5]
