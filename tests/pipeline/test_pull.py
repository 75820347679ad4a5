"""New predictions and labels come home exactly once; what is broken is set aside and can be mended."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from inference_runtime.errors import Fixable
from inference_runtime.journal import Journal
from inference_runtime.keeping import Keeping
from inference_runtime.predictor import Advice, Answer
from inference_runtime.segment import entry_of, line_of
from pipeline import images, pull, samples
from pipeline.params import People, Pull
from pipeline.pull import journal, ledger, quarantine

WORLD = "var/world"
JOURNAL = Path("var/journal")
PEOPLE = People(dataset=None, labels="var/labels")


def params(**given: object) -> Pull:
    values = {
        "journal": str(JOURNAL),
        "base": f"{WORLD}/base",
        "gold": f"{WORLD}/gold",
        "max_broken": 0.5,
        "connections": 4,
        "late_days": 7,
        "trust": {"fiftyone": 2},
    }
    return Pull.model_validate(values | given)


@pytest.fixture
def out(
    home: Path, base_set: Callable[[Path, range], Path], journalled: Callable[[Path, range], list[str]]
) -> Path:
    base_set(Path(WORLD, "base"), range(6))
    base_set(Path(WORLD, "gold"), range(10, 14))
    journalled(JOURNAL, range(100, 108))
    (home / "out").mkdir()
    return home / "out"


def label(text: str, name: str = "people.csv") -> None:
    Path("var/labels").mkdir(parents=True, exist_ok=True)
    Path("var/labels", name).write_text("image,label,labeler,at\n" + text)


def test_every_picture_has_one_row(out: Path) -> None:
    pull.run(params(), PEOPLE, out)
    table = samples.read(out)
    assert dict(table.group_by("source").len().iter_rows()) == {"base": 6, "gold": 4, "challenge": 8}
    assert table["image"].n_unique() == table.height
    assert table.schema == pl.Schema(samples.PULLED)
    assert table.filter(pl.col("source") == "challenge")["p"].null_count() == 0


def test_the_same_outside_gives_the_same_bytes(out: Path) -> None:
    pull.run(params(), PEOPLE, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    pull.run(params(), PEOPLE, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_until_hides_what_came_later(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNTIL", "2020-01-01T00:00:00Z")
    pull.run(params(), PEOPLE, out)
    assert not samples.read(out).filter(pl.col("source") == "challenge").height


def test_a_past_night_is_what_it_was(
    out: Path, journalled: Callable[[Path, range], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever has come home since: answers, pictures, damage, labels that were handed in late."""
    then = datetime.now(timezone(timedelta(hours=5))).isoformat()  # whoever asks may live elsewhere
    monkeypatch.setenv("UNTIL", then)
    pull.run(params(), PEOPLE, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    image = samples.read(out).filter(pl.col("source") == "challenge")["image"][0]
    first = set((JOURNAL / "segments").iterdir())
    again = journalled(JOURNAL, range(100, 112))
    (later,) = set((JOURNAL / "segments").iterdir()) - first
    label(
        f"{image},1,ann,{datetime.now(UTC).isoformat()}\n{again[-1]},1,ann,{datetime.now(UTC).isoformat()}\n"
    )
    later = later.rename(later.with_name("20990101T000000Z-00000000.log"))
    later.write_bytes(later.read_bytes() + b"torn")
    monkeypatch.delenv("UNTIL")
    pull.run(params(), PEOPLE, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} != before
    monkeypatch.setenv("UNTIL", then)
    pull.run(params(), PEOPLE, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_a_wrong_until_is_one_clear_line(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNTIL", "yesterday")
    with pytest.raises(Fixable, match="UNTIL: 'yesterday' is no ISO time"):
        pull.run(params(), PEOPLE, out)


def test_an_image_answered_twice_keeps_both_answers_and_one_row(
    out: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    again = journalled(JOURNAL, range(100, 101))[0]
    pull.run(params(), PEOPLE, out)
    assert samples.read(out).filter(pl.col("image") == again).height == 1
    assert samples.read(out, "predictions.parquet").filter(pl.col("image") == again).height == 2


def test_what_a_shadow_said_is_kept_and_was_no_answer(
    out: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    given = journalled(JOURNAL, range(100, 101))[0]
    book = Journal(JOURNAL)
    data = (JOURNAL / "images" / given[:2] / f"{given}.jpg").read_bytes()
    unseen = Answer(p=0.875, logit=0.0, image=given, bundle="c" * 16, width=32, height=32)
    book.append(unseen, data, 1.0, "request", "shadow")
    book.close()
    pull.run(params(), PEOPLE, out)
    predictions = samples.read(out, "predictions.parquet").filter(pl.col("image") == given)
    assert sorted(predictions["role"]) == ["serve", "serve", "shadow"]
    (row,) = samples.read(out).filter(pl.col("image") == given).iter_rows(named=True)
    assert row["p"] != 0.875 and row["bundle"] == "b" * 16


def test_a_second_opinion_comes_home_with_the_answer_that_it_changed(
    out: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    given = journalled(JOURNAL, range(100, 101))[0]
    book = Journal(JOURNAL)
    data = (JOURNAL / "images" / given[:2] / f"{given}.jpg").read_bytes()
    advice = Advice(first=0.25, second=0.75, by="seer")
    book.append(Answer(0.5, 0.0, given, "b" * 16, 32, 32, advice), data, 1.0)
    book.close()
    pull.run(params(), PEOPLE, out)
    table = samples.read(out, "predictions.parquet")
    said = table.filter(pl.col("second").is_not_null()).select("image", "p", "first", "second", "by")
    assert said.rows() == [(given, 0.5, 0.25, 0.75, "seer")]
    assert table.height == 10 and not pl.read_parquet(out / quarantine.FILE).height


def test_a_persons_latest_word_counts_and_a_set_says_nothing_against_it(out: Path) -> None:
    pull.run(params(), PEOPLE, out)
    image = samples.read(out).filter((pl.col("source") == "base") & (pl.col("label") == 0))["image"][0]
    label(f"{image},1,ann,2024-01-02T00:00:00Z\n{image},0,ann,2024-01-01T00:00:00Z\n")
    pull.run(params(), PEOPLE, out)
    row = samples.read(out).row(by_predicate=pl.col("image") == image, named=True)
    assert (row["label"], row["labeler"]) == (1, "ann")


def test_a_label_from_the_future_waits(out: Path) -> None:
    pull.run(params(), PEOPLE, out)
    image = samples.read(out).filter(pl.col("source") == "challenge")["image"][0]
    label(f"{image},1,ann,{(datetime.now(UTC) + timedelta(days=1)).isoformat()}\n")
    pull.run(params(), PEOPLE, out)
    assert samples.read(out).row(by_predicate=pl.col("image") == image, named=True)["label"] is None


@pytest.mark.parametrize("row", ["x,2,ann,2024-01-01", "x,1,ann,soon"])
def test_a_wrong_label_names_file_and_line(out: Path, row: str) -> None:
    label(row + "\n")
    with pytest.raises(Fixable, match=r"people\.csv, line 2: .*correct it"):
        pull.run(params(), PEOPLE, out)


def test_a_picture_lost_from_the_journal_is_set_aside_and_comes_home_once_mended(
    out: Path, picture: Callable[..., bytes]
) -> None:
    data = picture(100, 32, 32)
    lost = JOURNAL / "images" / images.name(data)[:2] / f"{images.name(data)}.jpg"
    lost.write_bytes(data[:-40])
    pull.run(params(), PEOPLE, out)
    aside = pl.read_parquet(out / quarantine.FILE)
    assert aside["image"].to_list() == [images.name(data)]
    assert "do not match" in aside["reason"][0]
    assert samples.read(out).height == 17
    lost.write_bytes(data)
    pull.run(params(), PEOPLE, out)
    assert samples.read(out).height == 18
    assert not pl.read_parquet(out / quarantine.FILE).height


def test_an_answer_whose_image_was_shed_is_left_aside_in_silence(out: Path) -> None:
    book = Journal(JOURNAL, Keeping(free_bytes=1 << 60))
    for data in (b"never kept", images.read(pulled_challenge(out))):
        book.append(Answer(0.5, 0.0, images.name(data), "b" * 16, 32, 32), data, 1.0)
    book.close()
    pull.run(params(), PEOPLE, out)
    assert not pl.read_parquet(out / quarantine.FILE).height
    assert samples.read(out, "predictions.parquet").height == 9, "an image that is home makes it whole"


def pulled_challenge(out: Path) -> str:
    pull.run(params(), PEOPLE, out)
    return str(samples.read(out).filter(pl.col("source") == "challenge")["image"][0])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"p": 1.5}, "p is not between 0 and 1"),
        ({"p": 10**400}, "p is not between 0 and 1"),
        ({"at": "2026-01-01T00:00:00"}, "at is no ISO time with a zone"),
        ({"at": "soon"}, "at is no ISO time with a zone"),
        ({"image": "../../etc/passwd"}, "image is no sha256"),
        ({"width": 0}, "width is no number of pixels"),
        ({"height": 10**12}, "height is no number of pixels"),
        ({"id": ""}, "id is empty"),
        ({"second": 1.5}, "second is not between 0 and 1"),
        ({"first": "half"}, "first is of the wrong type"),
        ({"bundle": None}, "bundle is missing or of the wrong type"),
    ],
)
def test_a_line_that_says_what_can_not_be_is_set_aside(
    out: Path, change: dict[str, Any], reason: str
) -> None:
    segment = next((JOURNAL / "segments").glob("*.log"))
    lines = segment.read_bytes().splitlines(keepends=True)
    lines[2] = line_of(entry_of(lines[2]) | change)
    segment.write_bytes(b"".join(lines))
    pull.run(params(), PEOPLE, out)
    aside = pl.read_parquet(out / quarantine.FILE)
    assert aside.select("line", "reason").rows() == [(3, reason)]
    assert samples.read(out, "predictions.parquet").height == 7


def test_an_entry_that_stands_twice_counts_once(out: Path) -> None:
    segment = next((JOURNAL / "segments").glob("*.log"))
    segment.with_name("20200101T000000Z-00000000.log").write_bytes(segment.read_bytes())
    pull.run(params(), PEOPLE, out)
    assert samples.read(out, "predictions.parquet").height == 8


def test_what_is_still_being_written_is_read_as_far_as_it_is(
    out: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    first = set((JOURNAL / "segments").iterdir())
    journalled(JOURNAL, range(200, 202))
    (closed,) = set((JOURNAL / "segments").iterdir()) - first
    growing = closed.rename(closed.with_suffix(".open"))
    whole = growing.read_bytes()
    growing.write_bytes(whole[:-10])
    pull.run(params(), PEOPLE, out)
    assert samples.read(out, "predictions.parquet").height == 9
    growing.write_bytes(whole)
    growing.rename(closed)
    pull.run(params(), PEOPLE, out)
    assert samples.read(out, "predictions.parquet").height == 10
    assert not pl.read_parquet(out / quarantine.FILE).height


def test_what_is_home_is_not_read_again(
    out: Path, journalled: Callable[[Path, range], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    pull.run(params(), PEOPLE, out)
    journalled(JOURNAL, range(108, 110))
    read: list[str] = []
    monkeypatch.setattr(journal, "reading", spied(journal.reading, read))
    pull.run(params(), PEOPLE, out)
    assert len(read) == 1 and samples.read(out, "predictions.parquet").height == 10


def spied(real: Callable[..., Any], seen: list[str]) -> Callable[..., Any]:
    def call(shelf: Any, segment: Any, into: Path) -> Any:
        seen.append(segment.name)
        return real(shelf, segment, into)

    return call


def test_many_nights_leave_few_hauls_and_every_entry(
    out: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    for night in range(20):
        journalled(JOURNAL, range(300 + night, 302 + night))
        pull.run(params(), PEOPLE, out)
    assert samples.read(out, "predictions.parquet").height == 8 + 20 * 2
    assert len(list(Path("var/pulled").glob("*/*/hauls/*"))) <= 6


def test_a_ledger_that_is_lost_or_torn_costs_a_longer_pull_only(out: Path) -> None:
    pull.run(params(), PEOPLE, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    entries = next(Path("var/pulled").rglob("entries.parquet"))
    entries.write_bytes(entries.read_bytes()[:50])
    pull.run(params(), PEOPLE, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    shutil.rmtree("var/pulled")
    pull.run(params(), PEOPLE, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before


def test_what_other_rules_have_kept_is_read_again_and_cleared_away(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pull.run(params(), PEOPLE, out)
    before = {file.name: file.read_bytes() for file in out.iterdir()}
    monkeypatch.setattr(ledger, "VERSION", ledger.VERSION + 1)
    pull.run(params(), PEOPLE, out)
    assert {file.name: file.read_bytes() for file in out.iterdir()} == before
    (room,) = Path("var/pulled").glob("*/*/hauls/*")
    assert room.parts[-3] == str(ledger.VERSION)


def test_what_is_gold_and_base_is_gold(out: Path, base_set: Callable[[Path, range], Path]) -> None:
    base_set(Path(WORLD, "base"), range(11))
    pull.run(params(), PEOPLE, out)
    table = samples.read(out)
    assert dict(table.group_by("source").len().iter_rows()) == {"base": 10, "gold": 4, "challenge": 8}
    assert table["image"].n_unique() == table.height


def test_labels_that_contradict_each_other_are_listed_and_a_tie_is_nobodys(
    out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pull.run(params(), PEOPLE, out)
    image = samples.read(out).filter(pl.col("source") == "base")["image"][0]
    label(f"{image},1,ann,2024-01-02T00:00:00Z\n{image},0,bob,2024-01-01T00:00:00Z\n")
    pull.run(params(), PEOPLE, out)
    assert samples.read(out).row(by_predicate=pl.col("image") == image, named=True)["label"] is None
    listed = pl.read_parquet(out / pull.CONFLICTS)
    assert listed["labeler"].sort().to_list() == ["ann", "base", "bob"] and set(listed["rule"]) == {"tie"}
    assert "labels of 1 pictures contradict each other, 1 unresolved" in capsys.readouterr().err
    assert pl.read_parquet(out / pull.SAID).height == 6 + 4 + 2


def test_a_cut_journal_line_is_set_aside_and_costs_no_other(out: Path) -> None:
    segment = next((JOURNAL / "segments").glob("*.log"))
    segment.write_bytes(segment.read_bytes()[:-9])
    pull.run(params(), PEOPLE, out)
    aside = pl.read_parquet(out / quarantine.FILE)
    assert (aside["line"].to_list(), samples.read(out, "predictions.parquet").height) == ([8], 7)


def test_a_base_picture_that_is_none_is_set_aside(out: Path) -> None:
    Path(WORLD, "base", "0.jpg").write_bytes(b"not a picture")
    pull.run(params(), PEOPLE, out)
    assert pl.read_parquet(out / quarantine.FILE)["image"].to_list() == ["0.jpg"]


def test_too_much_broken_stops_the_night_with_one_line(out: Path) -> None:
    Path(WORLD, "base", "0.jpg").write_bytes(b"")
    with pytest.raises(Fixable, match=r"labels\.csv, line 2: .*pull\.max_broken"):
        pull.run(params(max_broken=0.01), PEOPLE, out)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"journal": "nowhere"}, r"params\.yaml: pull\.journal: nowhere is no folder"),
        ({"base": "nowhere"}, r"params\.yaml: pull\.base: .*not found; point it at"),
    ],
)
def test_a_wrong_place_names_the_line_of_params(out: Path, given: dict[str, str], says: str) -> None:
    with pytest.raises(Fixable, match=says):
        pull.run(params(**given), PEOPLE, out)
