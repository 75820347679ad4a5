"""The operators, on a real DVC repository, without a scheduler."""

import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins"))

dvc_tasks = pytest.importorskip("dvc_tasks", reason="needs the airflow extra")


def context(conf: dict[str, Any] | None = None, until: str | None = None) -> dict[str, Any]:
    moment = datetime(2026, 11, 20, 2, 0, 0, 500, tzinfo=UTC)
    return {
        "dag": SimpleNamespace(params={"until": None}),
        "dag_run": SimpleNamespace(conf=conf or {}, run_after=moment),
        "params": {"until": until},
    }


def stage(name: str) -> Any:
    return dvc_tasks.DvcStage(task_id=name)


def test_runs_the_stage_and_returns_its_summary(checkout: Path) -> None:
    assert stage("pull").execute(context()) == {"rows": 3, "skipped": False}
    assert (checkout / "artifacts/pull/summary.json").exists()


def test_says_what_dvc_skipped(checkout: Path) -> None:
    stage("pull").execute(context())
    assert stage("mine").execute(context())["skipped"] is False
    assert stage("mine").execute(context()) == {"rows": 3, "skipped": True}
    assert stage("pull").execute(context())["skipped"] is False  # always_changed


def test_a_stage_whose_inputs_came_back_is_restored_by_dvc(checkout: Path) -> None:
    for name in ("pull", "mine"):
        stage(name).execute(context())
    subprocess.run(["rm", "-r", str(checkout / "artifacts/mine")], check=True)
    assert stage("mine").execute(context()) == {"rows": 3, "skipped": True}
    assert (checkout / "artifacts/mine/summary.json").exists()


def test_failure_shows_the_stages_own_last_line(checkout: Path) -> None:
    (checkout / "pull.fails").touch()
    with pytest.raises(Exception, match=r"^pull: pull.fails: in the way; remove it$"):
        stage("pull").execute(context())


def test_time_enters_once(checkout: Path) -> None:
    task = stage("pull")
    lines: list[str] = []
    task.log.info = lines.append
    task.execute(context())
    task.execute(context(until="2026-01-02T03:04:05+01:00"))
    said = [line for line in lines if " until " in line]
    assert said == ["pull until 2026-11-20T02:00:00.000500Z", "pull until 2026-01-02T02:04:05Z"]


def test_unknown_key_is_refused_at_once(checkout: Path) -> None:
    with pytest.raises(Exception, match="unknown key 'untill'; known are until") as refused:
        stage("pull").execute(context(conf={"untill": "2026-01-01T00:00:00Z"}))
    assert type(refused.value).__name__ == "AirflowFailException"  # never retried
    assert not (checkout / "artifacts").exists()


def test_on_kill_ends_the_whole_tree_within_five_seconds(checkout: Path) -> None:
    (checkout / "pull.hangs").touch()
    task = stage("pull")
    worker = threading.Thread(target=ends_badly, args=(task,))
    worker.start()
    pids = [int(pid) for pid in awaited(checkout / "pull.pids").split()]
    began = time.monotonic()
    task.on_kill()
    assert time.monotonic() - began < 5
    worker.join(5)
    assert not worker.is_alive()
    gone = time.monotonic() + 1  # a killed process needs a moment to be buried
    while (left := [pid for pid in pids if lives(pid)]) and time.monotonic() < gone:
        time.sleep(0.02)
    assert left == []


def ends_badly(task: Any) -> None:
    with pytest.raises(Exception, match=r"^pull: "):
        task.execute(context())


def awaited(file: Path) -> str:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if file.exists() and (text := file.read_text()):
            return text
        time.sleep(0.05)
    raise AssertionError(f"{file} never came")


def lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_on_kill_before_the_start_is_nothing() -> None:
    stage("pull").on_kill()


def test_the_fleet_command_runs_in_the_checkout(checkout: Path) -> None:
    task = dvc_tasks.PipelineCommand(task_id="rollout")
    assert task.execute(context()) == {"line": "rollout: nothing to bring out"}


@pytest.mark.filterwarnings("ignore:_NoneStep:DeprecationWarning")  # DVC's own
def test_stages_are_those_of_dvc(checkout: Path) -> None:
    assert dvc_tasks.stages(checkout / "dvc.yaml") == dvc_graph(checkout)


def dvc_graph(checkout: Path) -> dict[str, list[str]]:
    """As DVC itself sees it."""
    from dvc.repo import Repo

    with Repo(str(checkout)) as repo:
        graph = repo.index.graph
        return {
            one.name: [other.name for other in repo.index.stages if other in graph.successors(one)]
            for one in repo.index.stages
        }


@pytest.mark.parametrize(
    ("dep", "out", "meets"),
    [
        ("artifacts/a", "artifacts/a", True),
        ("artifacts/a/rows.parquet", "artifacts/a", True),
        ("artifacts", "artifacts/a", True),
        ("artifacts/ab", "artifacts/a", False),
    ],
)
def test_a_dependency_meets_an_output(tmp_path: Path, dep: str, out: str, meets: bool) -> None:
    file = tmp_path / "dvc.yaml"
    file.write_text(f"stages:\n  a: {{cmd: a, outs: [{out}]}}\n  b: {{cmd: b, deps: [code.py, {dep}]}}\n")
    assert dvc_tasks.stages(file) == {"a": [], "b": ["a"] if meets else []}
