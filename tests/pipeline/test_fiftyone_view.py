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

from pipeline import images, marks, params, pull, samples
from pipeline.assemble import review
from pipeline.params import People, Pull
from pipeline.services import mongo

ROOT = Path(__file__).parents[2]

pytestmark = [pytest.mark.slow]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A house with a mongod of its own, kept for the module: FiftyOne connects once per process."""
    folder = tmp_path_factory.mktemp("house")
    (folder / "dvc.yaml").write_text("stages: {}")
    (folder / ".mongod").symlink_to(ROOT / ".mongod")
    before = dict(os.environ)
    os.environ |= {"RETRAIN_HOME": str(folder), "IMAGES": str(folder / "images")}
    os.environ["FIFTYONE_PLUGINS_DIR"] = str(ROOT / "plugins")
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


def marked(view: Any, table: pl.DataFrame, doubt: int = 0) -> None:
    """Tonight's marks: the picture in doubt, and one with a fault."""
    doubts = table[[doubt]].select("image", doubt=pl.lit(0.3))
    faults = table[[3]].select("image", faults=pl.lit(["dark"]))
    marks.put(view.dataset.name, doubts, faults, table.select("image", split=pl.lit("train")))
    view.dataset.reload()


def seen(view: Any, name: str) -> list[str]:
    return list(view.dataset.load_saved_view(name).values("image"))


def test_what_needs_a_second_look_has_a_view_and_last_nights_marks_go(
    view: Any, picture: Callable[..., bytes]
) -> None:
    table = rows(picture, range(5), label=0, labeler="ann")
    view.upsert(table)
    marked(view, table)
    assert seen(view, "suspects") == [table["image"][0]] and seen(view, "faults") == [table["image"][3]]
    marked(view, table, doubt=1)
    assert seen(view, "suspects") == [table["image"][1]]
    assert view.dataset.values("split") == ["train"] * 5
    assert view.tags().height == 0  # the house's own words are nobody's tags
    assert marks.count(view.dataset.name) == {"case": 0, "suspect": 1, "asked": 0}


def test_nothing_is_marked_where_nothing_was_pulled(house: Path) -> None:
    nothing = pl.DataFrame(schema={"image": pl.String, "doubt": pl.Float64})
    none = pl.DataFrame(schema={"image": pl.String, "faults": pl.List(pl.String)})
    marks.put("nobody pulled", nothing, none, pl.DataFrame(schema={"image": pl.String, "split": pl.String}))
    assert marks.count("nobody pulled") == {}


def asked(view: Any, operator: str, chosen: Any, **given: str) -> dict[str, Any]:
    import fiftyone.operators as operators

    context = {"dataset": view.dataset, "selected": [sample.id for sample in chosen]}
    done = operators.execute_operator(f"@retrain-72/review/{operator}", {**context, "params": given})
    view.dataset.reload()
    return dict(done.result)


def test_the_plugin_labels_confirms_and_queues(view: Any, picture: Callable[..., bytes]) -> None:
    table = rows(picture, range(6)).with_columns(reason=pl.lit("margin"), score=pl.lit(0.5))
    view.upsert(table)
    view.show_cases(table[:3])
    marked(view, table, doubt=4)
    one, other, *_ = view.dataset.select_by("image", table["image"].to_list()[:2], ordered=True)
    assert asked(view, "say", [one], label="roadwork", who="ann") == {"count": 1}
    assert asked(view, "ask", [other]) == {"count": 1}
    doubted = view.dataset.select_by("image", [table["image"][4]]).first()
    assert asked(view, "confirm", [doubted]) == {"count": 1}
    assert view.labels().select("image", "label", "labeler").rows() == [(one.image, 1, "ann")]
    assert view.tags().rows() == [(doubted.image, ["confirmed"])]
    assert sorted(seen(view, "queue")) == sorted(table["image"].to_list()[1:3])
    assert "refused" in asked(view, "say", [], label="roadwork", who="ann")
    with pytest.raises(Exception, match="Invalid enum value"):
        asked(view, "say", [other], label="a cat", who="ann")


def test_the_panel_counts_what_waits(view: Any, picture: Callable[..., bytes]) -> None:
    from fiftyone.operators import registry

    table = rows(picture, range(6)).with_columns(
        reason=pl.Series(["margin", "margin", "random"] * 2), score=pl.lit(0.5)
    )
    view.upsert(table)
    view.show_cases(table)
    marked(view, table)
    panel = registry.OperatorRegistry().get_operator("@retrain-72/review/review")
    queue = sys.modules[type(panel).__module__.rpartition(".")[0] + ".queue"]
    assert queue.waiting(view.dataset) == {"case": 6, "suspect": 1, "asked": 0, "fault": 1}
    assert queue.picked(view.dataset) == {"margin": 4, "random": 2}
    assert queue.progress(view.dataset) == (0, 6)
    queue.say(view.dataset.limit(2), "clear", "ann")
    assert queue.waiting(view.dataset)["case"] == 4
    assert (queue.CASE, queue.SUSPECT, queue.ASKED) == marks.QUEUE and queue.FAULT == marks.FAULT
    assert queue.CLASSES == samples.CLASSES and queue.CONFIRMED == review.CONFIRMED


def content(view: Any) -> dict[str, Any]:
    keys = ("source", "reason", "score", "split", "doubt", "faults", "tags", "ground_truth.label")
    keys += ("ground_truth.labeler", "prediction.confidence")
    values = zip(view.dataset.values("image"), *(view.dataset.values(key) for key in keys), strict=True)
    return {image: [sorted(one) if isinstance(one, list) else one for one in rest] for image, *rest in values}


def test_the_dataset_is_rebuilt_from_the_tables_and_no_word_is_lost(
    house: Path, tmp_path: Path, picture: Callable[..., bytes]
) -> None:
    from pipeline import fiftyone_view
    from pipeline.labelling import rebuild

    numbers = params.load(ROOT / "params.yaml")
    people = numbers.people.model_copy(update={"dataset": "rebuilt", "labels": str(tmp_path / "labels")})
    numbers = numbers.model_copy(update={"people": people})
    table = rows(picture, range(8)).with_columns(
        label=pl.Series([0, 1] + [None] * 6, dtype=pl.Int8), labeler=pl.Series(["ann", "bob"] + [None] * 6)
    )
    cases = samples.conform(table[4:].with_columns(reason=pl.lit("margin"), score=pl.lit(0.4)), samples.MINED)
    doubts = table[:1].select("image", "label", p=pl.lit(0.9), doubt=pl.lit(0.2))
    for name in ("pull", "mine", "assemble"):
        (tmp_path / name).mkdir()
    samples.write(table, tmp_path / "pull")
    samples.write(cases, tmp_path / "mine")
    samples.write(table[:2].with_columns(split=pl.lit("train")), tmp_path / "assemble")
    samples.keep(doubts, tmp_path / "assemble" / "suspects.parquet")
    samples.keep(
        table[2:3].select("image", faults=pl.lit(["dark"])), tmp_path / "assemble" / "faults.parquet"
    )
    rebuild.rebuilt(numbers, tmp_path)
    with fiftyone_view.opened("rebuilt") as view:
        before = content(view)
        view.say({table["image"][5]: 1}, "cas", datetime(2026, 3, 4, tzinfo=UTC), {})
    assert len(before) == 8 and before[table["image"][0]][6] == ["suspect"]
    assert "1 labels that no pull had seen" in rebuild.rebuilt(numbers, tmp_path)
    with fiftyone_view.opened("rebuilt") as view:
        assert content(view) == before
    [handed] = (tmp_path / "labels").glob("*.csv")
    assert f"{table['image'][5]},1,cas,2026-03-04T00:00:00+00:00" in handed.read_text()


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
