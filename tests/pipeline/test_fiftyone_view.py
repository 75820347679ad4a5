"""What people see and say in FiftyOne, against a real mongod."""

import importlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml

from pipeline import images, params, pull, samples
from pipeline.params import People, Pull
from pipeline.services import mongo

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("fiftyone")]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A house with a mongod of its own, kept for the module: FiftyOne connects once per process."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "dvc.yaml").write_text("stages: {}")
    (folder / ".mongod").symlink_to(ROOT / ".mongod")
    before = dict(os.environ)
    os.environ |= {"RETRAIN_HOME": str(folder), "IMAGES": str(folder / "images")}
    os.environ.pop("FIFTYONE_DATABASE_URI", None)
    with mongo.running():
        import_fiftyone()
        yield folder
    os.environ.clear()
    os.environ.update(before)


def import_fiftyone() -> None:
    """With metadata that says None for what is missing: FiftyOne's library counts on that.

    importlib_metadata, which other tests here load with Airflow, raises instead. A stage is a process of its
    own and never loads it.
    """
    real = metadata.metadata

    def forgiving(name: str) -> Any:
        return defaultdict(lambda: None, {key.lower(): value for key, value in real(name).items()})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(metadata, "metadata", forgiving)
        importlib.import_module("fiftyone")


@pytest.fixture
def view(house: Path, request: pytest.FixtureRequest) -> Iterator[Any]:
    from pipeline import fiftyone_view

    with fiftyone_view.opened(request.node.name) as opened:
        yield opened


def rows(picture: Callable[..., bytes], seeds: range, **given: object) -> pl.DataFrame:
    found = [
        {"image": images.put(picture(seed)), "source": "challenge", "tags": [], "p": 0.7} | given
        for seed in seeds
    ]
    return samples.conform(pl.DataFrame(found, schema_overrides={"tags": pl.List(pl.String)}), samples.PULLED)


def test_every_row_is_shown_once(view: Any, picture: Callable[..., bytes]) -> None:
    assert view.upsert(rows(picture, range(5))) == 5
    assert view.upsert(rows(picture, range(7))) == 2
    assert view.dataset.match({}).count() == 7


def test_a_click_in_the_app_is_signed_once_and_comes_home(view: Any, picture: Callable[..., bytes]) -> None:
    import fiftyone

    table = rows(picture, range(2))
    view.upsert(table)
    assert view.labels().height == 0
    sample = view.dataset.first()
    sample["ground_truth"] = fiftyone.Classification(label="roadwork")
    sample.tags.append("night")
    sample.save()
    said = view.labels()
    assert said.select("image", "label", "labeler").rows() == [(sample.image, 1, "fiftyone")]
    assert view.tags().rows() == [(sample.image, ["night"])]
    view.show_cases(table.with_columns(reason=pl.lit("margin"), score=0.5))  # which touches the sample again
    assert view.labels().equals(said)


def test_a_person_who_changes_a_known_label_is_heard(view: Any, picture: Callable[..., bytes]) -> None:
    view.upsert(rows(picture, range(1), label=0, labeler="base"))
    assert view.labels().height == 0  # what the base set says is not news
    sample = view.dataset.first()
    sample.ground_truth.label = "roadwork"
    sample.save()
    assert view.labels().select("label", "labeler").rows() == [(1, "fiftyone")]


def test_labels_from_elsewhere_are_shown(view: Any, picture: Callable[..., bytes]) -> None:
    view.upsert(rows(picture, range(1)))
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    view.upsert(rows(picture, range(1), label=1, labeler="ann", labelled_at=moment))
    assert view.labels().select("label", "labeler", "labelled_at").rows() == [(1, "ann", moment)]


def test_tonights_cases_replace_last_nights(view: Any, picture: Callable[..., bytes]) -> None:
    table = rows(picture, range(6)).with_columns(reason=pl.lit("margin"), score=pl.int_range(6) / 10)
    view.upsert(table)
    view.show_cases(table[:3])
    view.show_cases(table[3:])
    waiting = view.dataset.load_saved_view("case")
    assert waiting.values("image") == table[3:].sort("score", descending=True)["image"].to_list()


def test_a_past_night_takes_no_label_back_and_hears_what_the_app_forgot(
    view: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    base_set: Callable[[Path, range], Path],
    journalled: Callable[[Path, range], list[str]],
) -> None:
    monkeypatch.chdir(tmp_path)
    image = journalled(tmp_path / "journal", range(100, 104))[0]
    given = params.load(ROOT / "params.yaml").pull.model_dump() | {
        "journal": "journal",
        "base": str(base_set(tmp_path / "base", range(2))),
        "gold": str(base_set(tmp_path / "gold", range(2, 4))),
    }
    people = People(dataset=view.dataset.name, labels="labels")

    def night(until: datetime | None) -> int | None:
        monkeypatch.setenv("UNTIL", until.isoformat()) if until else monkeypatch.delenv("UNTIL")
        pull.run(Pull.model_validate(given), people, tmp_path)
        return samples.read(tmp_path).row(by_predicate=pl.col("image") == image, named=True)["label"]

    def click(label: str) -> datetime:
        view.dataset.reload()
        sample = view.dataset.one(fiftyone.ViewField("image") == image)
        sample["ground_truth"] = fiftyone.Classification(label=label)
        sample.save()
        view.labels()
        time.sleep(0.01)
        return datetime.now(UTC)

    import fiftyone

    assert night(datetime.now(UTC)) is None
    unlabelled = datetime.now(UTC)
    first = click("roadwork")
    assert night(first) == 1
    click("clear")
    assert night(datetime.now(UTC)) == 0
    assert night(first) == 1, "though the App knows only the later word"
    assert night(unlabelled) is None
    assert view.labels().filter(pl.col("image") == image)["label"].to_list() == [0]


PULL = """
from pathlib import Path
from pipeline import params, stages
stages.run("pull", params.load(), Path("artifacts"))
"""


def test_a_pull_killed_while_it_fills_the_dataset_is_made_whole_by_the_next(
    home: Path, base_set: Callable[[Path, range], Path], journalled: Callable[[Path, range], list[str]]
) -> None:
    (home / "dvc.yaml").write_text("stages: {}")
    (home / ".mongod").symlink_to(ROOT / ".mongod")
    (home / "params.yaml").write_text((ROOT / "params.yaml").read_text())
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    base_set(Path(values["pull"]["base"]), range(40))
    base_set(Path(values["pull"]["gold"]), range(40, 60))
    journalled(Path(values["pull"]["journal"]), range(100, 140))
    for _ in range(2):
        killed(home, random.uniform(4, 12))
    subprocess.run([sys.executable, "-c", PULL], cwd=home, env=environment(home), check=True)
    assert count(home) == samples.read(home / "artifacts" / "pull").height == 100


def environment(home: Path) -> dict[str, str]:
    dropped = [name for name in os.environ if name.startswith("FIFTYONE_") or name == "IMAGES"]
    kept = {name: value for name, value in os.environ.items() if name not in dropped}
    return kept | {"RETRAIN_HOME": str(home), "UNTIL": "2100-01-01T00:00:00Z"}


def killed(home: Path, after: float) -> None:
    process = subprocess.Popen([sys.executable, "-c", PULL], cwd=home, env=environment(home))
    time.sleep(after)
    process.send_signal(signal.SIGKILL)
    process.wait()


def count(home: Path) -> int:
    """Samples and distinct images, straight from the database."""
    script = (
        "import pymongo; from pipeline.services import mongo\n"
        "with mongo.running() as uri:\n"
        "    database = pymongo.MongoClient(uri)['retrain72']\n"
        "    [name] = [n for n in database.list_collection_names() if n.startswith('samples.')]\n"
        "    images = [row['image'] for row in database[name].find()]\n"
        "    assert len(images) == len(set(images))\n"
        "    print(len(images))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=home,
        env=environment(home),
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout)
