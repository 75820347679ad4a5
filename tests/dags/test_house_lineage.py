"""What is told of an artifact, read off a real DVC repository."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

house_lineage = pytest.importorskip("house_lineage", reason="needs the airflow extra: `make setup`")
dvc_tasks = pytest.importorskip("dvc_tasks")


class Events(dict[str, Any]):
    """Of a task: what was added to each alias."""

    def __getitem__(self, alias: Any) -> Any:
        return SimpleNamespace(add=lambda asset, extra: self.update({asset.name: extra}))


def ran(*stages: str, **params: Any) -> Events:
    events = Events()
    for name in stages:
        task = dvc_tasks.DvcStage(task_id=name)
        run = SimpleNamespace(conf={}, run_after=datetime(2026, 11, 20, tzinfo=UTC), run_id="night")
        context: dict[str, Any] = {"dag": SimpleNamespace(params={}), "dag_run": run, "params": params}
        instance = SimpleNamespace(try_number=1, xcom_push=lambda **_: None)
        context |= {"outlet_events": events, "ti": instance}
        task.execute(context)
        task.post_execute(context)
    return events


def test_a_record_says_what_was_made_of_what(checkout: Path) -> None:
    (checkout / "params.yaml").write_text("a: 1\n")
    events = ran("pull", "mine", "train", "gate")
    pull, mine, gate = (events.get(f"artifacts/{name}") for name in ("pull", "mine", "gate"))
    assert mine["inputs"] == {"pull": pull["hash"]}
    assert mine["run"] == "night" and mine["summary"] == {"rows": 3}
    assert mine["files"] == 1 and mine["bytes"] > 0 and len(mine["params"]) == 64
    assert gate["verdict"] == {"value": "PASS", "challenger": "b1", "reasons": ["better"]}
    assert set(gate["inputs"]) == {"train"}


def test_a_dry_run_makes_nothing_and_tells_nothing(checkout: Path) -> None:
    ran("pull")
    assert ran("pull", dry_run=True) == {}


def test_outside_of_git_the_commit_is_not_known(tmp_path: Path) -> None:
    told = house_lineage.record(tmp_path, "pull", "night")
    assert (told["commit"], told["hash"], told["params"], told["summary"]) == (None, None, None, {})
