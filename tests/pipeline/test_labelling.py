"""The review queue goes to Label Studio and comes back with the next pull."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest
import yaml

from inference_runtime.errors import Fixable
from pipeline import images, params, samples, stages
from pipeline.labelling import handing, queue
from pipeline.params import Params
from pipeline.quality import suspects

SHIPPED = Path(__file__).parents[2] / "params.yaml"


@pytest.fixture
def night(
    home: Path, base_set: Callable[[Path, range], Path], journalled: Callable[[Path, range], list[str]]
) -> Params:
    """A house without FiftyOne, after one pull, with four cases and a label in doubt."""
    values = yaml.safe_load(SHIPPED.read_text())
    values["people"]["dataset"] = None
    numbers = params.parse(values)
    base_set(Path(numbers.pull.base), range(6))
    base_set(Path(numbers.pull.gold), range(10, 14))
    names = journalled(Path(numbers.pull.journal), range(20, 26))
    stages.run("pull", numbers, Path("artifacts"))
    pulled = samples.read(Path("artifacts/pull"))
    mined = pulled.filter(pl.col("image").is_in(names[:4])).with_columns(
        reason=pl.lit("margin"), score=pl.Series([0.1, 0.9, 0.5, 0.3]), probability=pl.lit(1.0)
    )
    doubted = pulled.filter(source="base")[:1].select("image", "label", p=pl.lit(0.9), doubt=pl.lit(0.3))
    for name, file, table in (
        ("mine", samples.FILE, samples.conform(mined, samples.MINED)),
        ("assemble", "suspects.parquet", doubted.cast(suspects.FOUND)),  # type: ignore[arg-type]
    ):
        (Path("artifacts") / name).mkdir()
        samples.keep(table, Path("artifacts") / name / file)
    return numbers


def annotated(task: dict[str, object], choice: str) -> dict[str, object]:
    """As Label Studio gives it back."""
    result = {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [choice]}}
    about = {"completed_by": {"id": 1, "email": "ann@example.org"}, "was_cancelled": False}
    times = {"created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-02T03:04:06Z"}
    return {"data": task["data"], "annotations": [{"result": [result], **about, **times}]}


def test_cases_come_first_the_most_wanted_before_the_others(night: Params) -> None:
    tasks = queue.tasks(night, Path("artifacts"))
    assert [one["why"] for one in tasks] == ["margin"] * 4 + ["label in doubt"]
    mined = dict(samples.read(Path("artifacts/mine")).select("image", "score").iter_rows())
    assert [mined[one["image"]] for one in tasks[:4]] == [0.9, 0.5, 0.3, 0.1]


def test_what_is_said_in_label_studio_is_in_the_next_pull(night: Params) -> None:
    handing.exported(queue.tasks(night, Path("artifacts")), Path("out/tasks.json"), None)
    tasks = json.loads(Path("out/tasks.json").read_text())
    assert tasks[0]["data"]["image"].startswith("data:image/jpeg;base64,")
    assert Path("out/tasks.xml").read_text().count("<Choice ") == 3
    answers = [annotated(task, "roadwork" if turn % 2 else "clear") for turn, task in enumerate(tasks)]
    Path("export.json").write_text(json.dumps(answers))
    handing.imported(Path("export.json"), Path(night.people.labels))
    stages.run("pull", night, Path("artifacts"))
    said = dict(samples.read(Path("artifacts/pull")).select("image", "label").iter_rows())
    for turn, task in enumerate(tasks[:4]):
        assert said[task["data"]["name"].removesuffix(".jpg")] == turn % 2


def test_what_is_said_by_csv_is_in_the_next_pull(night: Params) -> None:
    [first, *_] = queue.tasks(night, Path("artifacts"))
    at = datetime(2026, 2, 3, tzinfo=UTC).isoformat()
    Path("said.csv").write_text(f"image,label,labeler,at\n{first['image']},1,ann,{at}\n")
    handing.imported(Path("said.csv"), Path(night.people.labels))
    handing.imported(Path("said.csv"), Path(night.people.labels))  # twice is once
    assert len(list(Path(night.people.labels).iterdir())) == 1
    stages.run("pull", night, Path("artifacts"))
    told = samples.read(Path("artifacts/pull")).filter(image=first["image"])
    assert told.select("label", "labeler").row(0) == (1, "ann")


def test_pictures_may_be_named_instead_of_carried(night: Params) -> None:
    handing.exported(queue.tasks(night, Path("artifacts")), Path("tasks.json"), "http://house/images/")
    [first, *_] = json.loads(Path("tasks.json").read_text())
    name = first["data"]["name"]
    assert first["data"]["image"] == f"http://house/images/{name[:2]}/{name}"
    assert images.path(name.removesuffix(".jpg")).exists()


@pytest.mark.parametrize(("name", "text"), [("a.json", "{}"), ("a.csv", "x,y\n1,2\n"), ("a.txt", "roadwork")])
def test_a_strange_file_is_refused_before_it_can_stop_a_night(home: Path, name: str, text: str) -> None:
    Path(name).write_text(text)
    with pytest.raises(Fixable, match="neither a JSON export of Label Studio nor CSV"):
        handing.imported(Path(name), Path("labels"))
    assert not Path("labels").exists()
