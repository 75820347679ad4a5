"""A base set is what lies there: its form is told by its content, and every form gives the same rows."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hub_stand_in
import polars as pl
import pytest

from inference_runtime.errors import Fixable
from pipeline import images
from pipeline.pull import base
from pipeline.pull.quarantine import Quarantine

Picture = Callable[..., bytes]
FEATURES = {"info": {"features": {"label": {"names": ["None", "Roadwork"], "_type": "ClassLabel"}}}}


def read(folder: Path | str, **given: Any) -> tuple[pl.DataFrame, Quarantine]:
    quarantine = Quarantine()
    return base.read(str(folder), "base", "pull.base", quarantine), quarantine


def labels(table: pl.DataFrame) -> dict[str, int]:
    return dict(table.select("image", "label").iter_rows())


@pytest.fixture
def four(home: Path, picture: Picture) -> dict[str, tuple[bytes, int]]:
    return {f"{seed}.jpg": (picture(seed), seed % 2) for seed in range(4)}


def expected(four: dict[str, tuple[bytes, int]]) -> dict[str, int]:
    return {images.name(data): label for data, label in four.values()}


def listed(folder: Path, four: dict[str, tuple[bytes, int]]) -> None:
    for name, (data, _) in four.items():
        (folder / name).write_bytes(data)
    rows = "".join(f"{name},{label},night rain\n" for name, (_, label) in four.items())
    (folder / "labels.csv").write_text("file,label,tags\n" + rows)


def classed(folder: Path, four: dict[str, tuple[bytes, int]]) -> None:
    for name, (data, label) in four.items():
        place = folder / "train" / ("clear", "Roadwork")[label]
        place.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data)


def embedded(folder: Path, four: dict[str, tuple[bytes, int]]) -> None:
    rows = [{"image": {"bytes": data, "path": name}, "label": label} for name, (data, label) in four.items()]
    (folder / "data").mkdir()
    table = pl.DataFrame(rows)
    table.head(3).write_parquet(folder / "data/train-00000-of-00002.parquet")
    table.tail(1).write_parquet(folder / "data/train-00001-of-00002.parquet")


def coco(folder: Path, four: dict[str, tuple[bytes, int]]) -> None:
    (folder / "images").mkdir()
    (folder / "annotations").mkdir()
    for name, (data, _) in four.items():
        (folder / "images" / name).write_bytes(data)
    pictured = [{"id": number, "file_name": name} for number, name in enumerate(four)]
    drawn = [
        {"image_id": number, "category_id": 3 if label else 1}
        for number, (_, label) in enumerate(four.values())
    ]
    names = [{"id": 3, "name": "Work Vehicle"}, {"id": 1, "name": "Police Officer"}]
    said = {"images": pictured, "annotations": drawn, "categories": names}
    (folder / "annotations/instances_train.json").write_text(json.dumps(said))


@pytest.mark.parametrize("form", [listed, classed, embedded, coco])
def test_every_form_gives_the_same(form: Any, home: Path, four: dict[str, tuple[bytes, int]]) -> None:
    (home / "set").mkdir()
    form(home / "set", four)
    for _ in range(2):  # the second time by what was seen before
        table, quarantine = read("set")
        assert labels(table) == expected(four) and not quarantine.rows
        assert all(images.path(image).exists() for image in table["image"])
        assert set(table["family"]) == set(table["image"]) and set(table["width"]) == {64}


def test_what_was_drawn_is_told_by_tags(home: Path, four: dict[str, tuple[bytes, int]]) -> None:
    coco(home, four)
    file = home / "annotations/instances_train.json"
    said = json.loads(file.read_text())
    said["images"][1]["scene_level_tags"] = {
        "daytime": "Dark",
        "weather": "Wet",
        "scene_environment": "Unknown",
    }
    file.write_text(json.dumps(said))
    tags = [row["tags"] for row in read(home)[0].iter_rows(named=True)]
    assert tags == [["police-officer"], ["dark", "wet", "work-vehicle"], ["police-officer"], ["work-vehicle"]]


def test_a_picture_that_was_seen_is_not_read_again(
    home: Path, four: dict[str, tuple[bytes, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "set").mkdir()
    listed(home / "set", four)
    read("set")
    asked = []
    admit = base.admit
    monkeypatch.setattr(base, "admit", lambda data: asked.append(1) or admit(data))
    read("set")
    assert not asked
    (home / "set/0.jpg").write_bytes(four["1.jpg"][0])
    images.path(images.name(four["2.jpg"][0])).unlink()
    read("set")
    assert len(asked) == 2, "one that changed, and one that was lost here"


def test_rows_that_contradict_themselves_are_left_out(
    home: Path, picture: Picture, capsys: pytest.CaptureFixture[str]
) -> None:
    """As the subnet's validators do: a description of roadwork belongs to a positive, and to it only."""
    told = [(1, "cones"), (1, ""), (0, "a truck"), (0, ""), (0, None), (1, None)]
    rows = [
        {"image": {"bytes": picture(seed), "path": None}, "label": label, "scene_description": text}
        for seed, (label, text) in enumerate(told)
    ]
    pl.DataFrame(rows).write_parquet(home / "train.parquet")
    table, quarantine = read(home)
    assert labels(table) == {images.name(picture(seed)): told[seed][0] for seed in (0, 3, 4)}
    assert not quarantine.rows and "3 of 6 rows left out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "first"), [(["None", "Roadwork"], 0), (["Roadwork", "None"], 1), (["a", "b"], 0)]
)
def test_the_names_of_the_classes_say_what_the_numbers_mean(
    home: Path, picture: Picture, names: list[str], first: int
) -> None:
    table = pl.DataFrame({"image": [picture(0), picture(1)], "label": [0, 1]})
    noted = {"info": {"features": {"label": {"names": names}}}}
    table.write_parquet(home / "x.parquet", metadata={"huggingface": json.dumps(noted)})
    assert read(home)[0]["label"].to_list() == [first, 1 - first]


def test_what_is_broken_is_set_aside_with_its_place(home: Path, picture: Picture) -> None:
    rows = [
        {"image": {"bytes": data, "path": None}, "label": label}
        for data, label in ((picture(0), 1), (b"none", 0), (None, 1), (picture(1), None), (picture(2), 7))
    ]
    pl.DataFrame(rows).write_parquet(home / "x.parquet")
    table, quarantine = read(home)
    assert table.height == 1
    assert [(row.file, row.line) for row in quarantine.rows] == [
        (str(home / "x.parquet"), n) for n in (2, 3, 4, 5)
    ]
    assert "label 'None' of row 4 is none of the two classes" in quarantine.rows[2].reason


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (
            lambda folder: (folder / "readme.txt").touch(),
            r"pull\.base: set holds readme\.txt; a base set is labels\.csv",
        ),
        (lambda folder: None, "holds nothing; a base set is"),
        (
            lambda folder: pl.DataFrame({"x": [1]}).write_parquet(folder / "a.parquet"),
            r"a\.parquet: has the columns x",
        ),
        (lambda folder: (folder / "labels.csv").write_text("file\n"), "no column label in its first line"),
    ],
)
def test_what_is_no_set_is_one_line(home: Path, make: Any, says: str) -> None:
    (home / "set").mkdir()
    make(home / "set")
    with pytest.raises(Fixable, match=says):
        read("set")


def test_a_set_that_says_both_of_one_picture(home: Path, picture: Picture) -> None:
    """Neither counts before a person has spoken; it is pull that lists it."""
    (home / "set").mkdir()
    for name in ("a.jpg", "b.jpg"):
        (home / "set" / name).write_bytes(picture(1))
    (home / "set/labels.csv").write_text("file,label\na.jpg,0\nb.jpg,1\n")
    offered, _ = read("set")
    assert (offered.height, base.one_each(offered).height) == (2, 1)


FETCH = """
import sys
from inference_runtime.errors import Fixable
from pipeline.pull.base import read
from pipeline.pull.quarantine import Quarantine
for address in sys.argv[1:]:
    try:
        print(read(address, "base", "pull.base", Quarantine()).height)
    except Fixable as error:
        print(error)
"""


def test_a_set_on_the_hub(home: Path, four: dict[str, tuple[bytes, int]]) -> None:
    """By the real client, against a stand-in: once fetched it serves while the hub is away."""
    (home / "set").mkdir()
    embedded(home / "set", four)
    files = {f"data/{file.name}": file.read_bytes() for file in sorted((home / "set/data").iterdir())}
    with hub_stand_in.served() as (hub, url):
        hub.repos["natix-network-org/roadwork"] = hub_stand_in.Repo()
        commit = hub.repos["natix-network-org/roadwork"].add("main", {"README.md": b"#", **files}, "first")
        said = fetched(
            home,
            url,
            "hf://natix-network-org/roadwork",
            f"hf://datasets/natix-network-org/roadwork@{commit.oid}",
            "hf://natix-network-org/roadwork@nowhere",
            "hf://somebody/else",
            "hf://no-owner/and/more",
        )
    assert said[:2] == ["4", "4"]
    assert "has no revision 'nowhere'" in said[2]
    assert "not there, or not for you; check the name" in said[3]
    assert "write it like hf://owner/name@revision" in said[4]
    away = fetched(home, url, "hf://natix-network-org/roadwork", "hf://somebody/else")
    assert away[0] == "4" and "the hub is out of reach and no copy is here" in away[1]


def fetched(home: Path, url: str, *addresses: str) -> list[str]:
    environment = os.environ | {
        "HF_ENDPOINT": url,
        "HF_TOKEN": hub_stand_in.TOKEN,
        "HF_HOME": str(home / "hf"),
        "HF_HUB_DISABLE_XET": "1",
    }
    command = [sys.executable, "-c", FETCH, *addresses]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
