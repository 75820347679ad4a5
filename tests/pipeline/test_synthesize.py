"""The stage: both labels, wanted conditions, within budget, every picture traced, the bad ones dropped."""

import json
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from pipeline import images, params, samples, stages, synthesize
from pipeline.params import Backbone, Synthesize
from pipeline.synthesize import aim, plan
from pipeline.synthesize.order import Mode
from pipeline.world import base, paint, scene

ROOT = Path(__file__).parents[2]
ALL: frozenset[Mode] = frozenset({"text", "image", "add", "remove"})


@pytest.fixture
def numbers() -> Synthesize:
    section = params.load(ROOT / "params.yaml").synthesize
    return section.model_copy(update={"images": 10, "aim": 0.0})


def case(image: str, reason: str, **given: object) -> dict[str, object]:
    row = {"image": image, "family": f"family-{image}", "reason": reason, "score": 0.5, "tags": ["night"]}
    return row | given


def slices(**wrong: int) -> pl.DataFrame:
    rows = [{"tag": tag, "answered": 100, "wrong": count} for tag, count in wrong.items()]
    everything = {"tag": None, "answered": 100 * max(1, len(wrong)), "wrong": sum(wrong.values())}
    return samples.frame([*rows, everything], samples.SLICES)


def mined(folder: Path, rows: list[dict[str, object]]) -> Path:
    folder.mkdir(exist_ok=True)
    samples.write(samples.frame(rows, samples.MINED), folder)
    samples.keep(slices(), folder / "slices.parquet")
    return folder


@pytest.fixture
def house(rooms: Path) -> Path:
    (rooms / "pull").mkdir()
    samples.write(samples.frame([], samples.PULLED), rooms / "pull")
    mined(rooms / "mine", [case("a", "mistake"), case("b", "margin"), case("c", "random")])
    return rooms


def run(numbers: Synthesize, house: Path, tiny: Backbone, out: str) -> pl.DataFrame:
    (house / out).mkdir()
    synthesize.run(numbers, tiny, house / "pull", house / "mine", house / out)
    return samples.read(house / out)


def test_the_budget_is_spent_on_both_labels_of_hard_cases_only(
    numbers: Synthesize, house: Path, tiny: Backbone
) -> None:
    painted = run(numbers, house, tiny, "out")
    assert painted.height == 10
    assert painted["label"].sum() == 5
    assert set(painted["parent"]) == {"a", "b"}
    assert set(painted["family"]) == {"family-a", "family-b"}


def test_every_painted_picture_can_be_read_and_traced(
    numbers: Synthesize, house: Path, tiny: Backbone
) -> None:
    for row in run(numbers, house, tiny, "out").iter_rows(named=True):
        assert images.name(images.read(row["image"])) == row["image"]
        assert row["source"] == row["labeler"] == "procedural" and row["mode"] == "text"
        assert None not in (row["seed"], row["prompt"], row["model"], row["usd"]) and "night" in row["tags"]


def test_a_training_row_leads_back_to_its_case_its_words_and_its_cost(
    numbers: Synthesize, house: Path, tiny: Backbone
) -> None:
    from pipeline import assemble
    from pipeline.pull.journal import PREDICTIONS

    run(numbers, house, tiny, "synthesize")
    (house / "assemble").mkdir()
    samples.write(samples.frame([], PREDICTIONS), house / "pull", "predictions.parquet")
    shipped = params.load(ROOT / "params.yaml")
    given = shipped.assemble.model_copy(update={"dev": 0.0})
    nobody = shipped.people.model_copy(update={"dataset": None})
    inputs = (house / "pull", house / "mine", house / "synthesize")
    assemble.run(
        given, shipped.kin, shipped.quality, shipped.fresh, nobody, tiny, *inputs, house / "assemble"
    )
    rows = samples.read(house / "assemble").to_dicts()
    cases = {case["image"]: case for case in samples.read(house / "mine").to_dicts()}
    assert len(rows) == 10
    for learned in rows:
        assert cases[learned["parent"]]["family"] == learned["family"]
        assert learned["prompt"] and learned["model"] == "street" and learned["usd"] == 0.0
        again = scene.scene(learned["seed"], learned["label"], {"night"})
        assert images.name(base.jpeg(paint.paint(again))) == learned["image"]


def test_painting_again_gives_the_same_files(numbers: Synthesize, house: Path, tiny: Backbone) -> None:
    run(numbers, house, tiny, "out")
    run(numbers, house, tiny, "again")
    for file in (house / "out").iterdir():
        assert file.read_bytes() == (house / "again" / file.name).read_bytes()


def test_a_painting_like_a_gold_picture_is_thrown_away_with_its_reason(
    numbers: Synthesize, house: Path, tiny: Backbone
) -> None:
    first = run(numbers, house, tiny, "out")["image"][0]
    pixels = cv2.imdecode(np.frombuffer(images.read(first), np.uint8), cv2.IMREAD_COLOR)
    smaller = cv2.resize(pixels, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    gold = images.put(bytes(cv2.imencode(".jpg", smaller, [cv2.IMWRITE_JPEG_QUALITY, 70])[1]))
    held = samples.frame([{"image": gold, "source": "gold", "family": gold, "label": 1}], samples.PULLED)
    samples.write(held, house / "pull")
    kept = run(numbers, house, tiny, "after")
    assert kept.height == 9 and first not in kept["image"]
    [lost] = samples.read(house / "after", "dropped.parquet").to_dicts()
    assert lost["image"] == first and lost["declined"] == "copy of a gold picture"
    assert "copy of a gold picture" in (house / "after" / "sheet.html").read_text()
    assert json.loads((house / "after" / "summary.json").read_text()) == {"painted": 9, "dropped": 1}


def test_no_hard_case_paints_nothing(numbers: Synthesize, house: Path, tiny: Backbone) -> None:
    mined(house / "mine", [case("c", "random")])
    assert run(numbers, house, tiny, "out").height == 0


def test_a_dry_run_tells_what_and_how_much_and_paints_nothing(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = params.load(ROOT / "params.yaml")
    changes = {"painters": ("procedural", "bedrock"), "images": 6, "usd": 1.0}
    given = shipped.model_copy(update={"synthesize": shipped.synthesize.model_copy(update=changes)})
    for row in ("a", "b"):
        images.path(row).parent.mkdir(parents=True, exist_ok=True)
    lines = stages.preview("synthesize", given, house)
    assert lines[0] == "6 pictures, 0 of them painted already"
    assert "procedural: 3 to paint (3 text), at most 0.00 USD" in lines
    assert "bedrock: 3 to paint (3 text), at most 0.24 USD" in lines
    assert lines[-1] == "budget: 6 pictures, 3600 s, 1.00 USD"
    assert not (house / "synthesize").exists()


def test_a_case_nobody_tagged_keeps_the_light_it_was_taken_in(rooms: Path) -> None:
    dark = images.put(bytes(cv2.imencode(".png", np.full((32, 32, 3), 20, np.uint8))[1]))
    bright = images.put(bytes(cv2.imencode(".png", np.full((32, 32, 3), 180, np.uint8))[1]))
    assert plan.seen(dark) == ("night",)
    assert plan.seen(bright) == ()


@pytest.mark.parametrize(
    ("is_roadwork", "wanted", "modes", "found"),
    [
        (None, 1, ALL, "text"),
        (1, 1, ALL, "image"),
        (0, 0, ALL, "image"),
        (0, 1, ALL, "add"),
        (1, 0, ALL, "remove"),
        (1, 0, {"text"}, "text"),
        (1, 1, {"image"}, "image"),
        (1, 0, {"image"}, None),
        (None, 1, {"image"}, None),
    ],
)
def test_how_a_case_becomes_the_wanted_label(
    is_roadwork: int | None, wanted: int, modes: frozenset[Mode], found: Mode | None
) -> None:
    assert plan.mode(is_roadwork, wanted, modes) == found


def test_a_painter_that_only_varies_gets_only_cases_with_a_label(numbers: Synthesize) -> None:
    rows = [case("a", "mistake", label=1), case("b", "margin")]
    given = numbers.model_copy(update={"painters": ("cosmos",), "images": 4})
    only = {"cosmos": frozenset[Mode]({"image"})}
    orders = plan.orders(samples.frame(rows, samples.MINED), slices(), given, only, lambda image: None)
    assert {(order.case, order.label, order.mode) for order in orders} == {("a", 1, "image")}
    assert len({order.seed for order in orders}) == 4


def test_what_the_champion_gets_wrong_is_asked_for_more_often() -> None:
    weak = aim.weakness(slices(night=40, rain=30, day=2, clear=2, small=40, site=2))
    drawn = [aim.drawn(weak, 1, seed) for seed in range(400)]
    share = {tag: sum(tag in tags for tags in drawn) / 400 for tag in ("night", "day", "small", "site")}
    assert share["night"] > 3 * share["day"] > 0
    assert share["small"] > 3 * share["site"] > 0
    assert all(len(aim.drawn(weak, 0, seed)) == 3 for seed in range(5))  # no layout without roadwork


def test_a_champion_without_a_mistake_has_no_weak_side() -> None:
    assert aim.weakness(slices()) == {}
    assert aim.weakness(slices(night=0)) == {}


def test_an_aimed_order_leaves_its_cases_conditions(numbers: Synthesize) -> None:
    weak = slices(night=1, fog=90, day=1)
    given = numbers.model_copy(update={"aim": 1.0, "images": 40})
    cases = samples.frame([case("a", "mistake", tags=["day", "clear"])], samples.MINED)
    orders = plan.orders(cases, weak, given, {"procedural": frozenset({"text"})}, lambda image: None)
    assert sum("fog" in order.tags for order in orders) > 20
    assert all("fog" in order.prompt for order in orders if "fog" in order.tags)


def test_conditions_the_painter_does_not_know_are_left_to_chance() -> None:
    from pipeline.synthesize.order import Order
    from pipeline.synthesize.painters import procedural

    order = Order("procedural", "text", "a", "f", 0, ("night", "level-3", "site"), 1, "", "")
    assert procedural._pinned(order) == {"night"}
