"""Copies, crops and bursts of a street are known; other streets are not."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import polars as pl
import pytest

from inference_runtime.errors import Fixable
from pipeline import assemble, challenge, images, samples
from pipeline.challenge import Pixels
from pipeline.kin import book, families, register, search
from pipeline.params import Assemble, Backbone, Fresh, Kin, Mix, People, Proof, Pseudo, Quality
from pipeline.pull.journal import PREDICTIONS
from pipeline.world.paint import paint
from pipeline.world.scene import Scene, scene

KIN = Kin(looked=60, near=0.3, likeness=0.66)
STREETS = 14


@pytest.fixture
def drawer(rooms: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KIN", str(rooms / "kin.sqlite"))
    monkeypatch.setenv("GOLD", str(rooms / "gold.parquet"))
    return rooms


def stored(pixels: Pixels, quality: int = 90) -> str:
    return images.put(bytes(cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]))


def street(number: int) -> Scene:
    return scene(challenge.seed_of("kin", str(number)), number % 2)


def later(one: Scene, metres: float) -> Scene:
    names = ("scenery", "traffic", "lookalikes", "works")
    near = {
        name: tuple(replace(t, z=t.z - metres) for t in getattr(one, name) if t.z > 2 + metres)
        for name in names
    }
    return replace(one, **near)


def planted(number: int) -> Iterator[dict[str, object]]:
    """A frame, and what else may come in of the same street."""
    frame = paint(street(number))
    image = stored(frame)
    yield {"image": image, "profile": "2026-01"}
    for turn in range(2):
        view = challenge.view(frame, "2026-01", challenge.seed_of(image, f"planted/{turn}"))
        yield {"image": images.put(challenge.encode(view)), "profile": "native"}
    yield {"image": stored(frame, 50), "profile": "2026-01"}
    yield {"image": stored(paint(later(street(number), 0.6))), "profile": "2026-01"}


@pytest.fixture
def town(drawer: Path) -> pl.DataFrame:
    rows = [row | {"street": number} for number in range(STREETS) for row in planted(number)]
    facts = {"source": pl.lit("base"), "family": "image", "label": pl.col("street").cast(pl.Int8) % 2}
    return pl.DataFrame(rows).with_columns(**facts)  # type: ignore[arg-type]


def test_what_is_of_one_street_is_found_and_nothing_else(town: pl.DataFrame, tiny: Backbone) -> None:
    pairs = search.pairs(town, KIN, tiny)
    of = dict(town.select("image", "street").iter_rows())
    assert all(of[one] == of[other] for one, other in pairs.select("one", "other").iter_rows())
    table = families.merged(town.with_columns(labelled_at=pl.lit(None, samples.MOMENT)), pairs)
    whole = table.group_by("street").agg(pl.col("family").value_counts(sort=True).first().struct["count"])
    assert whole["count"].sum() >= 0.97 * town.height


def test_pictures_that_come_night_by_night_are_found_as_if_they_had_come_at_once(
    town: pl.DataFrame, tiny: Backbone, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_once = search.pairs(town, KIN, tiny)
    monkeypatch.setenv("KIN", str(rooms / "other.sqlite"))
    search.pairs(town[:20], KIN, tiny)
    search.pairs(town[40:], KIN, tiny)  # the first ones are not at hand that night
    assert search.pairs(town, KIN, tiny).equals(at_once)


def test_what_was_compared_is_not_compared_again(
    town: pl.DataFrame, tiny: Backbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = search.pairs(town, KIN, tiny)
    monkeypatch.setattr(register, "sketch", None)
    monkeypatch.setattr(search.metric, "vectors", None)
    assert search.pairs(town, KIN, tiny).equals(found)


def test_a_kill_between_two_entries_loses_no_pair(
    town: pl.DataFrame, tiny: Backbone, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = search.pairs(town, KIN, tiny)
    monkeypatch.setenv("KIN", str(rooms / "other.sqlite"))
    written = book.Book.write
    times = iter(range(10))

    def dying(self: book.Book, *entry: object) -> None:
        if next(times) == 1:
            raise KeyboardInterrupt
        written(self, *entry)  # type: ignore[arg-type]

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(book.Book, "write", dying)
        search.pairs(town, KIN, tiny)
    assert search.pairs(town, KIN, tiny).equals(whole)


def test_a_damaged_book_is_named(drawer: Path) -> None:
    (drawer / "kin.sqlite").write_bytes(b"no database" * 100)
    with pytest.raises(Fixable, match=r"kin\.sqlite: damaged; delete it and run again"), book.opened("facts"):
        pass


def test_a_newcomer_takes_the_family_of_what_was_there() -> None:
    rows = [
        {"image": "z", "family": "z", "labelled_at": None},
        {"image": "a", "family": "a", "labelled_at": "2026-01-02"},
        {"image": "b", "family": "b", "labelled_at": "2026-01-01"},
        {"image": "c", "family": "c", "labelled_at": None},
    ]
    table = pl.DataFrame(rows).with_columns(pl.col("labelled_at").str.to_datetime(time_zone="UTC"))
    pairs = pl.DataFrame({"one": ["a", "a"], "other": ["b", "z"], "likeness": [0.9, 0.9]})
    assert families.merged(table, pairs)["family"].to_list() == ["z", "z", "z", "c"]


ASSEMBLE = Assemble(
    dev=0.3,
    synthetic_weight=0.5,
    mistake_weight=1.5,
    mix=Mix(hard=None, synthetic=None, pseudo=None),
    pseudo=Pseudo(sources=(), teacher=None, precision=0.98, least=10, weight=0.5),
    proof=Proof(rows=5000, slice_rows=40),
)


def ran(town: pl.DataFrame, tiny: Backbone, rooms: Path, quality: Quality) -> pl.DataFrame:
    """The stage, on a town whose frames are gold, and the rest is not."""
    gold = pl.when(pl.int_range(pl.len()).over("street") == 0).then(pl.lit("gold")).otherwise(pl.lit("base"))
    for name, schema in (("mine", samples.MINED), ("synthesize", samples.PAINTED), ("out", samples.PULLED)):
        (rooms / name).mkdir(exist_ok=True)
        samples.write(samples.frame([], schema), rooms / name)
    (rooms / "pull").mkdir(exist_ok=True)
    pulled = samples.conform(town.with_columns(source=gold), samples.PULLED)
    stranger = pulled.filter(source="base")[:1].with_columns(
        image=pl.lit(stored(paint(street(99)))), family=pl.lit("s")
    )
    samples.write(pl.concat([pulled, stranger]), rooms / "pull")
    samples.write(samples.frame([], PREDICTIONS), rooms / "pull", "predictions.parquet")
    folders = [rooms / name for name in ("pull", "mine", "synthesize", "out")]
    nobody = People(dataset=None, labels="labels")
    assemble.run(ASSEMBLE, KIN, quality, Fresh(share=0.1, days=14), nobody, tiny, *folders)
    return samples.read(rooms / "out")


def test_kin_of_gold_is_not_taught(town: pl.DataFrame, tiny: Backbone, rooms: Path, quality: Quality) -> None:
    table = ran(town, tiny, rooms, quality)
    assert table.filter(split="holdout").height == STREETS
    assert table.filter(pl.col("split") != "holdout").height <= 0.03 * town.height + 1


def test_a_planted_leak_stops_the_stage_and_the_pair_is_named(
    town: pl.DataFrame,
    tiny: Backbone,
    rooms: Path,
    quality: Quality,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(assemble.families, "merged", lambda table, _: table)  # as if nobody knew of families
    (rooms / "out").mkdir()
    with pytest.raises(
        Fixable, match=r"pictures \w{64} \(\w+\) and \w{64} \(\w+\) show the same street"
    ) as told:
        ran(town, tiny, rooms, quality)
    streets = dict(town.select("image", "street").iter_rows())
    one, other = (word for word in str(told.value).split() if len(word) == 64)
    assert streets[one] == streets[other]
