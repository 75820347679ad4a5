"""The whole of it: real scheduler, API server and DAG processor on SQLite, around a small DVC repository."""

import json
import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import yaml

from inference_runtime.errors import Fixable
from pipeline import services
from pipeline.services import airflow, records
from pipeline.services.airflow_api import Api


@pytest.fixture
def house(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(airflow, "PORT", server.getsockname()[1])
    yield checkout
    services.down()


def followed(api: Api, run: str) -> list[str]:
    return [f"{task.name} {task.state}" for task in api.follow("retrain_72", run)]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_night_by_rest_and_by_command_line(house: Path) -> None:
    services.up(["airflow"])
    api = airflow.api()
    before = [records.running(name) for name in airflow.NIGHT]
    services.up(["airflow"])
    assert [records.running(name) for name in airflow.NIGHT] == before  # one set, not two
    by_command_line_and_by_rest(house, api)
    by_an_asset(api)
    with_a_person_who_says_no(house, api)
    if "LONG" in os.environ:
        a_past_night(api)
    a_failure_shows_its_reason(house, api)
    with busy_database(seconds=7):  # longer than SQLite waits by itself
        api.pool("spare", 1, "asked for while another process writes")
    assert "spare" in [pool["name"] for pool in api.get("pools")["pools"]]
    sessions = [record.pid for record in before if record]
    os.kill(sessions[1], signal.SIGKILL)  # the scheduler, which leaves its workers behind
    services.down()
    assert not [
        process for process in psutil.process_iter() if session(process.pid) in sessions and runs(process)
    ]


def session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def runs(process: psutil.Process) -> bool:
    """Not so the dead whom nobody has buried yet."""
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@contextmanager
def busy_database(seconds: float) -> Iterator[None]:
    """As if one of Airflow's processes were writing, on a slow disk."""
    writer = sqlite3.connect(airflow.home() / "airflow.db", timeout=60, check_same_thread=False)
    writer.execute("BEGIN IMMEDIATE")
    ending = threading.Timer(seconds, writer.close)
    ending.start()
    yield
    ending.join()


def edges(api: Api) -> dict[str, set[str]]:
    """Each task with those that wait for it, as Airflow tells it."""
    told = api.get("dags/retrain_72/tasks")["tasks"]
    return {task["task_id"]: set(task["downstream_task_ids"]) for task in told}


def dvc_tasks_of(house: Path) -> dict[str, set[str]]:
    """The same as dvc.yaml tells it; what waits for a person, and for the whole, is not of DVC's."""
    described = yaml.safe_load((house / "dvc.yaml").read_text())["stages"]
    below = {
        name: {
            other
            for other, stage in described.items()
            if any(dep.startswith(f"artifacts/{name}") for dep in stage.get("deps", []))
        }
        for name in described
    }
    below["gate"].add("approve")
    below["publish"].add("rollout")
    return below


def by_command_line_and_by_rest(house: Path, api: Api) -> None:
    assert airflow.cli(["dags", "trigger", "retrain_72", "--run-id", "by-hand"]) == 0
    api.trigger("retrain_72", "by-rest", {"until": "2026-11-20T02:00:00Z"})
    assert api.state("retrain_72", "by-rest") == "queued"  # two triggers at once are two nights, one by one
    changes = followed(api, "by-hand")
    assert api.state("retrain_72", "by-hand") == "success"
    finished = [change.split()[0] for change in changes if change.endswith("success")]
    assert finished == ["pull", "mine", "train", "gate", "publish", "rollout", "watch"]
    assert edges(api) == dvc_tasks_of(house) | {"approve": {"publish"}, "rollout": {"watch"}, "watch": set()}
    assert api.xcom("retrain_72", "by-hand", "mine") == {"rows": 3, "skipped": False}
    assert all((task.seconds or 0) > 0 for task in api.tasks("retrain_72", "by-hand").values())
    unchanged_by_rest(api)


def unchanged_by_rest(api: Api) -> None:
    followed(api, "by-rest")
    assert api.state("retrain_72", "by-rest") == "success"
    assert "pull until 2026-11-20T02:00:00Z" in api.log("retrain_72", "by-rest", "pull")
    states = {name: task.state for name, task in api.tasks("retrain_72", "by-rest").items()}
    unchanged = {name for name, state in states.items() if state == "skipped"}
    assert unchanged == {"mine", "train", "gate", "approve", "publish"}
    assert api.xcom("retrain_72", "by-rest", "mine") == {"rows": 3, "skipped": True}


def by_an_asset(api: Api) -> None:
    """What watch_72 emits when enough hard cases wait."""
    assets = api.get("assets?name_pattern=hard-cases-full")["assets"]
    api.post("assets/events", {"asset_id": assets[0]["id"], "extra": {}})
    run = awaited_run(api, "asset_triggered")
    followed(api, run)
    assert api.state("retrain_72", run) == "success"


def a_past_night(api: Api) -> None:
    when = ["--from-date", "2026-11-01", "--to-date", "2026-11-01T12:00:00", "--max-active-runs", "1"]
    assert airflow.cli(["backfill", "create", "--dag-id", "retrain_72", *when]) == 0
    run = awaited_run(api, "backfill")
    followed(api, run)
    assert api.state("retrain_72", run) == "success"
    assert "pull until 2026-11-01T02:00:00Z" in api.log("retrain_72", run, "pull")


def awaited_run(api: Api, kind: str) -> str:
    deadline = time.monotonic() + 60
    while not (runs := api.get(f"dags/retrain_72/dagRuns?run_type={kind}")["dag_runs"]):
        assert time.monotonic() < deadline
        time.sleep(0.3)
    return str(runs[0]["dag_run_id"])


def with_a_person_who_says_no(house: Path, api: Api) -> None:
    run = api.trigger("retrain_72", "asked", {"require_approval": True, "force": True})
    for task in api.follow("retrain_72", run):
        if (task.name, task.state) == ("approve", "awaiting_input"):
            place = f"dags/retrain_72/dagRuns/{run}/taskInstances/approve/-1/hitlDetails"
            assert "b1" in api.get(place)["body"]
            time.sleep(
                3
            )  # no person is faster: Airflow takes an answer within its scheduler's turn for a fault
            api.patch(place, {"chosen_options": ["Reject"]})
    assert api.state("retrain_72", run) == "success"
    receipt = json.loads((house / "artifacts/publish/receipt.json").read_text())
    assert not receipt["published"] and receipt["why"].endswith("said no")


def a_failure_shows_its_reason(house: Path, api: Api) -> None:
    with pytest.raises(Fixable, match=r"answered 4\d\d: .*until"):
        api.trigger("retrain_72", "bad", {"until": 5})
    run = api.trigger("retrain_72", "unknown", {"untill": "2026-11-20T02:00:00Z"})
    assert "mine upstream_failed" in followed(api, run)
    assert (
        api.reason("retrain_72", run, "pull")
        == "conf: unknown key 'untill'; known are until, dry_run, require_approval, painter, force"
    )
    assert api.tasks("retrain_72", run)["pull"].tries == 1  # nothing to gain from another try


def test_nothing_is_asked_of_an_airflow_that_is_not_there(checkout: Path) -> None:
    with pytest.raises(Fixable, match="Airflow is not running; `make up` starts it"):
        airflow.api()


def test_an_api_server_that_is_away_is_awaited_and_not_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(Fixable, match=r"Airflow does not answer .*; `make status` tells what is up$"):
        Api(nobody, patience=0.1).state("retrain_72", "run")


def test_all_components_agree_on_a_port_where_the_usual_one_is_taken(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other_house:
        monkeypatch.setattr(airflow, "PORT", other_house.getsockname()[1])
        chosen = {airflow.port() for _ in range(5)}
    assert len(chosen) == 1 and airflow.PORT not in chosen


def test_the_callers_settings_win(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    settings = airflow.environment(8080)
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__DAGS_FOLDER"] == str(checkout / "dags")
