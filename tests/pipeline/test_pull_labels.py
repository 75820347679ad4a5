"""What people said: read from each of their tools, all of it kept, and one rule for what counts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_runtime.errors import Fixable
from pipeline import samples
from pipeline.pull import labels
from pipeline.pull.labels import label_studio, remembered, verdicts

A, B = "a" * 64, "b" * 64
TRUST = {"lead": 3, "fiftyone": 2, "guest": 0}


def said(*words: tuple[str, int, str, int], via: str = "csv") -> pl.DataFrame:
    """Words as (picture, label, who, on which day of January)."""
    rows = [
        {
            "image": image,
            "label": label,
            "labeler": who,
            "labelled_at": datetime(2026, 1, day, tzinfo=UTC),
            "via": via,
        }
        for image, label, who, day in words
    ]
    return samples.frame(rows, samples.WORDS)


def in_a_set(*words: tuple[str, int, str]) -> pl.DataFrame:
    rows = [{"image": image, "label": label, "labeler": who, "via": "set"} for image, label, who in words]
    return samples.frame(rows, samples.WORDS)


def verdict(words: pl.DataFrame, image: str = A) -> tuple[Any, ...]:
    voices = verdicts.judged(words, TRUST)
    (rule,) = voices.filter(pl.col("image") == image)["rule"].unique()
    (row,) = verdicts.spoken(voices).filter(pl.col("image") == image).iter_rows()
    return row[1], row[2], rule


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (said((A, 1, "ann", 1)), (1, "ann", "agreed")),
        (said((A, 1, "ann", 1), (A, 1, "bob", 2)), (1, "bob", "agreed")),
        (said((A, 1, "ann", 1), (A, 0, "ann", 2)), (0, "ann", "agreed")),
        (said((A, 1, "ann", 1), (A, 0, "bob", 2)), (None, None, "tie")),
        (said((A, 1, "ann", 1), (A, 0, "bob", 2), (A, 1, "cid", 3)), (1, "cid", "majority")),
        (said((A, 1, "lead", 1), (A, 0, "bob", 2), (A, 0, "cid", 3)), (1, "lead", "trust")),
        (said((A, 1, "ann", 1), (A, 0, "fiftyone", 2)), (0, "fiftyone", "trust")),
        (said((A, 1, "ann", 1), (A, 0, "guest", 2)), (1, "ann", "trust")),
        (pl.concat([in_a_set((A, 0, "base")), said((A, 1, "ann", 1))]), (1, "ann", "trust")),
        (
            pl.concat([in_a_set((A, 0, "base")), said((A, 1, "ann", 1), (A, 0, "bob", 1))]),
            (None, None, "tie"),
        ),
        (in_a_set((A, 0, "base")), (0, "base", "agreed")),
        (in_a_set((A, 0, "base"), (A, 1, "base")), (None, None, "tie")),
        (in_a_set((A, 0, "base"), (A, 0, "gold")), (0, "gold", "agreed")),
    ],
)
def test_the_rule(words: pl.DataFrame, expected: tuple[Any, ...]) -> None:
    assert verdict(words) == expected


def test_nobody_has_a_say_in_another_picture() -> None:
    words = said((A, 1, "ann", 1), (A, 0, "bob", 2), (B, 0, "bob", 2))
    assert verdict(words, A)[0] is None and verdict(words, B)[0] == 0


@given(st.permutations(range(6)))
def test_the_order_of_the_files_decides_nothing(order: list[int]) -> None:
    words = said(
        (A, 1, "ann", 1),
        (A, 0, "bob", 1),
        (A, 1, "bob", 1),
        (B, 1, "cid", 1),
        (B, 0, "ann", 2),
        (B, 0, "lead", 1),
    )
    whole = verdicts.spoken(verdicts.judged(words, TRUST)).sort("image")
    assert verdicts.spoken(verdicts.judged(words[order], TRUST)).sort("image").equals(whole)


def test_every_word_of_a_conflict_is_listed() -> None:
    words = said((A, 1, "ann", 1), (A, 0, "bob", 2), (B, 1, "ann", 3))
    listed = verdicts.conflicts(verdicts.judged(words, {}))
    assert listed.schema == pl.Schema(samples.CONFLICTS)
    assert sorted(listed.select("image", "label", "labeler", "rule").rows()) == [
        (A, 0, "bob", "tie"),
        (A, 1, "ann", "tie"),
    ]


def annotation(label: str, **given: Any) -> dict[str, Any]:
    return {
        "completed_by": {"id": 3, "email": "ann@example.com"},
        "result": [{"type": "choices", "from_name": "label", "value": {"choices": [label]}}],
        "was_cancelled": False,
        "created_at": "2026-01-02T03:04:05.000000Z",
        "updated_at": "2026-01-03T03:04:05.000000Z",
    } | given


def task(image: str, *annotations: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": 1,
        "data": {"image": f"/data/local-files/?d=ab/{image}.jpg"},
        "annotations": list(annotations),
    }


def exported(folder: Path, tasks: Any) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "export.json"
    file.write_text(json.dumps(tasks))
    return file


def test_an_export_of_label_studio(tmp_path: Path) -> None:
    tasks = [
        task(A, annotation("Roadwork"), annotation("clear", completed_by=7, updated_at=None)),
        task(B, annotation("clear", was_cancelled=True), annotation("unsure"), annotation("x", result=[])),
        task(B),
    ]
    found = label_studio.words(exported(tmp_path, tasks))
    assert [tuple(one.values()) for one in found] == [
        (A, 1, "ann@example.com", datetime(2026, 1, 3, 3, 4, 5, tzinfo=UTC), "label-studio"),
        (A, 0, "7", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "label-studio"),
    ]


def test_a_short_export_of_label_studio(tmp_path: Path) -> None:
    about = {"annotator": 7, "annotation_id": 4, "created_at": "2026-01-02T00:00:00Z", "lead_time": 1.0}
    tasks = [{"id": 1, "image": f"s3://b/images/aa/{A}.jpg", "label": "roadwork", "why": "cones"} | about]
    (one,) = label_studio.words(exported(tmp_path, tasks))
    assert (one["image"], one["label"], one["labeler"]) == (A, 1, "7")


@pytest.mark.parametrize(
    ("tasks", "says"),
    [
        ({}, r"export\.json: is no list of tasks"),
        ([{"id": 1, "data": {"image": "x.jpg"}, "annotations": []}], "task 1: names 0 pictures of ours"),
        ([task(A, annotation("clear", completed_by=None))], "task 1: does not say who labelled it and when"),
    ],
)
def test_a_strange_export_is_one_line(tmp_path: Path, tasks: Any, says: str) -> None:
    with pytest.raises(Fixable, match=says):
        label_studio.words(exported(tmp_path, tasks))


def test_all_files_of_the_folder_are_read(tmp_path: Path) -> None:
    exported(tmp_path, [task(A, annotation("clear"))])
    (tmp_path / "bob.csv").write_text(f"image,label,labeler,at\n{A},1,bob,2026-01-01\n")
    (tmp_path / "notes.txt").write_text("of no interest")
    (tmp_path / "export again.json").write_text((tmp_path / "export.json").read_text())
    words = labels.handed_in(tmp_path)
    assert words.height == 2
    assert set(words.select("labeler", "label", "via").rows()) == {
        ("ann@example.com", 0, "label-studio"),
        ("bob", 1, "csv"),
    }
    assert not labels.handed_in(tmp_path / "absent").height


def test_what_fiftyone_forgets_is_remembered(home: Path) -> None:
    first, second = said((A, 1, "fiftyone", 1), via="fiftyone"), said((A, 0, "fiftyone", 3), via="fiftyone")
    remembered.remember("set", first)
    words = remembered.remember("set", second)
    assert words.equals(pl.concat([second, first]).sort(list(samples.WORDS)))
    assert remembered.remember("set", second).equals(words)
    earlier = labels.until(words, datetime(2026, 1, 2, tzinfo=UTC))
    assert verdict(earlier)[0] == 1, "a night of the past hears what was said by then"


def test_what_fiftyone_only_shows_is_no_second_word() -> None:
    words = said((A, 1, "ann", 1))
    shown = said((A, 1, "ann", 1), (A, 0, "fiftyone", 2)).select(list(samples.SAID))
    assert labels.clicked(shown, words).select("labeler", "via").rows() == [("fiftyone", "fiftyone")]
