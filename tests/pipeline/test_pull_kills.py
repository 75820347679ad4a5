"""A pull killed at any moment, and run again, brings home what an undisturbed one brings: the same bytes."""

import hashlib
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import boto3
import polars as pl
import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from forks import Forks

ROOT = Path(__file__).parents[2]
KILLS = 50  # moments, drawn anew on every run of the test
PULL = """
from pathlib import Path
from pipeline import params, stages
from pipeline.pull import journal
journal.BATCH = 1  # each segment is a haul, so that hauls are merged, too
stages.run("pull", params.load(), Path("artifacts"))
"""

pytestmark = [pytest.mark.slow]


IMPORTED = ("polars", "boto3", "pipeline.pull", "pipeline.stages", "pipeline.store.bucket")


@pytest.fixture(scope="module")
def forks() -> Iterator[Forks]:
    started = Forks(*IMPORTED)
    yield started
    started.stop()


@pytest.fixture
def house(
    home: Path, base_set: Callable[[Path, range], Path], journalled: Callable[[Path, range], list[str]]
) -> Path:
    """Base, gold and labels; five segments, some of whose pictures are in several, and one broken line."""
    base_set(home / "base", range(12))
    base_set(home / "gold", range(10, 20))
    names: list[str] = []
    for first in range(100, 130, 6):
        names += journalled(home / "journal", range(first, first + 8))
    segment = sorted((home / "journal/segments").glob("*.log"))[2]
    segment.write_bytes(segment.read_bytes()[:-9])
    (home / "labels").mkdir()
    lines = [f"{name},{number % 2},ann,2026-01-01" for number, name in enumerate(names[:20])]
    (home / "labels/ann.csv").write_text("\n".join(["image,label,labeler,at", *lines]))
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    values["pull"] |= {name: str(home / name) for name in ("journal", "base", "gold")}
    values["people"] = {"dataset": None, "labels": str(home / "labels")}
    (home / "params.yaml").write_text(yaml.safe_dump(values))
    return home


def empty(house: Path, name: str) -> Path:
    """A place where nothing was pulled yet."""
    place = house / name
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    shutil.copy(house / "params.yaml", place)
    return place


def contents(place: Path) -> dict[str, str]:
    """Everything that a later stage may look at, by its hash; drafts are nobody's."""
    found = [file for room in ("artifacts", "var/images") for file in sorted((place / room).rglob("*"))]
    return {
        str(file.relative_to(place)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in found
        if file.is_file() and not any(part.startswith(".") for part in file.relative_to(place).parts)
    }


def test_killed_anywhere_and_run_again(house: Path, forks: Forks) -> None:
    place = empty(house, "undisturbed")
    whole = forks.run(place, PULL)
    undisturbed = contents(place)
    predictions = pl.read_parquet(place / "artifacts/pull/predictions.parquet")
    assert (predictions.height, predictions["id"].n_unique()) == (5 * 8 - 1, 5 * 8 - 1)
    rng = random.Random()
    for _ in range(KILLS):
        place = empty(house, "killed")
        moment = rng.uniform(0, whole)
        forks.run(place, PULL, kill_after=moment)
        forks.run(place, PULL)
        assert contents(place) == undisturbed, f"killed after {moment:.3f} s of {whole:.3f} s"


def test_killed_again_and_again_it_comes_home_at_last(house: Path, forks: Forks) -> None:
    place = empty(house, "undisturbed")
    whole = forks.run(place, PULL)
    undisturbed = contents(place)
    place = empty(house, "killed")
    for _ in range(10):
        forks.run(place, PULL, kill_after=random.uniform(0, whole))
    forks.run(place, PULL)
    assert contents(place) == undisturbed


def test_killed_on_its_way_from_a_bucket(house: Path, s3_server: str) -> None:
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket="journals")
    for file in sorted(one for one in (house / "journal").rglob("*.*") if one.suffix in (".log", ".jpg")):
        name = file.relative_to(house / "journal").as_posix()
        client.put_object(Bucket="journals", Key=name, Body=file.read_bytes())
    given = (house / "params.yaml").read_text().replace(str(house / "journal"), "s3://journals")
    (house / "params.yaml").write_text(given)
    forks = Forks(*IMPORTED)  # which knows the way to the server
    whole = forks.run(empty(house, "undisturbed"), PULL)
    undisturbed = contents(house / "undisturbed")
    for _ in range(4):
        place = empty(house, "killed")
        forks.run(place, PULL, kill_after=random.uniform(0, whole))
        forks.run(place, PULL)
        assert contents(place) == undisturbed
    forks.stop()
