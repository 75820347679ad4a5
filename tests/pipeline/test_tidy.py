"""Only what no night needs again is thrown away, and first it is named."""

import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_runtime import images as journal_images
from pipeline import images
from pipeline.chores import tidy

OLD = time.time() - 40 * 86400
GONE = {
    "var/airflow/logs/night/train/1.log",
    "artifacts/.train.draft/head.safetensors",
    "var/hub/.champion.json.4711",
    "var/checkpoints/linear-00.ckpt",
    "var/journal/images/{home}",
}
STAYS = {
    "var/airflow/airflow.db",
    "artifacts/train/head.safetensors",
    "var/hub/champion.json",
    "var/journal/segments/20260101T000000Z-00000000.log",
    "var/journal/images/{away}",
    "var/paintings.sqlite",
}


@pytest.fixture
def house(home: Path, picture: Any) -> dict[str, Path]:
    """Each file of the lists, all of them old."""
    away, ours = (picture(seed) for seed in (1, 2))
    images.admit(ours)
    names = {
        word: journal_images.place(Path(), images.name(data))
        for word, data in (("home", ours), ("away", away))
    }
    places = {name: home / name.format(**names) for name in GONE | STAYS}
    for place in places.values():
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text("bytes")
        os.utime(place, (OLD, OLD))
    return places


def params() -> Any:
    return SimpleNamespace(
        tidy=SimpleNamespace(logs=30, leftovers=3, pictures=7), pull=SimpleNamespace(journal="var/journal")
    )


def there(house: dict[str, Path]) -> set[str]:
    return {name for name, place in house.items() if place.exists()}


def test_what_no_night_needs_goes_and_the_rest_stays(house: dict[str, Path]) -> None:
    tidy.run(params(), dry=False)
    assert there(house) == STAYS
    assert not Path("var/airflow/logs/night/train").exists()  # nor an empty folder


def test_a_dry_run_names_it_and_keeps_it(house: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> None:
    tidy.run(params(), dry=True)
    assert there(house) == GONE | STAYS
    assert "tidy: 3 leftovers, 0.0 MB would go" in capsys.readouterr().err


def test_what_is_young_stays(house: dict[str, Path]) -> None:
    for place in house.values():
        os.utime(place)
    tidy.run(params(), dry=False)
    assert there(house) == GONE | STAYS


def test_a_journal_in_a_bucket_is_left_to_ship(house: dict[str, Path]) -> None:
    given = params()
    given.pull.journal = "s3://bucket/journal"
    tidy.run(given, dry=False)
    assert there(house) == STAYS | {"var/journal/images/{home}"}


@pytest.mark.slow
def test_dvc_forgets_earlier_nights(home: Path) -> None:
    def dvc(*words: str) -> None:
        subprocess.run([sys.executable, "-m", *words], cwd=home, check=True, capture_output=True)

    subprocess.run(["git", "init", "-q"], cwd=home, check=True)
    dvc("dvc", "init", "-q")
    (home / "dvc.yaml").write_text(
        "stages:\n  a: {cmd: mkdir -p artifacts && cp in artifacts/a, deps: [in], outs: [artifacts/a]}\n"
    )
    for night in ("one", "two"):
        (home / "in").write_text(night)
        dvc("dvc", "repro", "-q")
    kept = home / ".dvc/cache/files/md5"
    assert len([file for file in kept.rglob("*") if file.is_file()]) == 2
    tidy.run(params(), dry=True)
    assert len([file for file in kept.rglob("*") if file.is_file()]) == 2
    tidy.run(params(), dry=False)
    assert [file.read_text() for file in kept.rglob("*") if file.is_file()] == ["two"]
