"""The operators, on a real DVC repository, without a scheduler."""

import os
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

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
sys.path.insert(0, str(PLUGINS))

dvc_tasks = pytest.importorskip("dvc_tasks", reason="needs the airflow extra")
house_commands = pytest.importorskip("house_commands")
house_process = pytest.importorskip("house_process")


class Instance:
    """What a task leaves behind, and what it finds."""

    def __init__(self, try_number: int) -> None:
        self.left: dict[str, Any] = {}
        self.try_number = try_number

    def xcom_push(self, key: str, value: Any) -> None:
        self.left[key] = value


def context(conf: dict[str, Any] | None = None, tried: int = 1, **params: Any) -> dict[str, Any]:
    moment = datetime(2026, 11, 20, 2, 0, 0, 500, tzinfo=UTC)
    return {
        "dag": SimpleNamespace(params={"until": None}),
        "dag_run": SimpleNamespace(conf=conf or {}, run_after=moment),
        "params": params,
        "ti": Instance(tried),
    }


def stage(name: str) -> Any:
    return dvc_tasks.DvcStage(task_id=name)


def test_runs_the_stage_and_returns_its_summary(checkout: Path) -> None:
    assert stage("pull").execute(context()) == {"rows": 3, "skipped": False}
    assert (checkout / "artifacts/pull/summary.json").exists()


def skipped(name: str, **params: Any) -> dict[str, Any]:
    """What a skipped stage left behind."""
    given = context(**params)
    with pytest.raises(Exception, match=f"^{name}: unchanged$") as raised:
        stage(name).execute(given)
    assert type(raised.value).__name__ == "AirflowSkipException"
    return dict(given["ti"].left["return_value"])


def test_what_dvc_skips_is_shown_as_skipped(checkout: Path) -> None:
    stage("pull").execute(context())
    assert stage("mine").execute(context())["skipped"] is False
    assert skipped("mine") == {"rows": 3, "skipped": True}
    assert stage("pull").execute(context())["skipped"] is False  # always_changed


def test_force_runs_what_is_unchanged(checkout: Path) -> None:
    for name in ("pull", "mine"):
        stage(name).execute(context())
    assert stage("mine").execute(context(force=True))["skipped"] is False


def test_a_dry_run_says_what_would_run_and_runs_nothing(checkout: Path) -> None:
    stage("pull").execute(context())
    assert stage("mine").execute(context(dry_run=True)) == {"would": "run"}
    assert not (checkout / "artifacts/mine").exists()
    stage("mine").execute(context())
    assert stage("mine").execute(context(dry_run=True)) == {"would": "do nothing"}


def test_a_stage_whose_inputs_came_back_is_restored_by_dvc(checkout: Path) -> None:
    for name in ("pull", "mine"):
        stage(name).execute(context())
    subprocess.run(["rm", "-r", str(checkout / "artifacts/mine")], check=True)
    assert skipped("mine") == {"rows": 3, "skipped": True}
    assert (checkout / "artifacts/mine/summary.json").exists()


def test_failure_shows_the_stages_own_last_line_and_is_tried_again(checkout: Path) -> None:
    (checkout / "pull.fails").touch()
    with pytest.raises(Exception, match=r"^pull: pull.fails: in the way; remove it$") as raised:
        stage("pull").execute(context())
    assert type(raised.value).__name__ == "AirflowException"
    with pytest.raises(Exception, match=r"^pull: ") as again:
        stage("pull").execute(context(tried=2))
    assert type(again.value).__name__ == "AirflowFailException"


def test_what_is_away_is_waited_for(checkout: Path) -> None:
    (checkout / "pull.fails").write_text("away")
    for tried in (1, 5):
        with pytest.raises(Exception, match=r"^pull: the hub: out of reach$") as raised:
            stage("pull").execute(context(tried=tried))
        assert type(raised.value).__name__ == "AirflowException"


def test_what_a_person_must_put_right_first_is_not_tried_again(checkout: Path) -> None:
    (checkout / "pull.fails").write_text("fixable")
    with pytest.raises(Exception, match=r"^pull: params.yaml: wrong$") as raised:
        stage("pull").execute(context())
    assert type(raised.value).__name__ == "AirflowFailException"


def test_the_painter_of_one_night_is_told_and_painted_with_anew(checkout: Path) -> None:
    given = context(painter="sdxl")
    assert stage("synthesize").environment(given)["PAINTER"] == "sdxl"
    assert "--force" in stage("synthesize").command(given["params"])
    assert "--force" not in stage("mine").command(given["params"])


def test_a_bar_that_is_drawn_anew_comes_as_lines(tmp_path: Path) -> None:
    code = "print('1 of 2', end='\\r'); print('2 of 2', end='\\r'); print('done')"
    process = house_process.Process([sys.executable, "-c", code], tmp_path, os.environ)
    assert list(process.lines()) == ["1 of 2", "2 of 2", "done"]
    assert process.wait() == 0


ORPHAN = """
import os, sys, time
sys.path.insert(0, sys.argv[1])
from house_process import Process
process = Process([sys.executable, "-c", "import time; time.sleep(600)"], sys.argv[2], os.environ)
print(process._process.pid, flush=True)
time.sleep(600)
"""


def test_what_a_killed_worker_left_running_is_ended_before_the_next_try(tmp_path: Path) -> None:
    command = [sys.executable, "-c", ORPHAN, str(PLUGINS), str(tmp_path)]
    worker = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert worker.stdout
    orphan = int(worker.stdout.readline())
    assert house_process.end_orphans(tmp_path) == []  # its worker lives
    worker.kill()
    worker.wait()
    worker.stdout.close()
    assert lives(orphan)
    assert house_process.end_orphans(tmp_path) == [orphan]
    gone = time.monotonic() + 5
    while lives(orphan) and time.monotonic() < gone:
        time.sleep(0.02)
    assert not lives(orphan)


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
    gone = time.monotonic() + 5  # a killed process needs a moment to be buried
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
    task = house_commands.PipelineCommand(task_id="rollout")
    assert task.execute(context()) == {"line": "rollout: nothing to bring out"}
    with pytest.raises(Exception, match=r"^rollout: a dry run changes nothing$"):
        task.execute(context(dry_run=True))


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
