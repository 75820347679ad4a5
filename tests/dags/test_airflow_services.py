"""The whole of it: real scheduler, API server and DAG processor on SQLite, around a small DVC repository."""

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

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
def test_a_night_by_rest_and_by_command_line(house: Path) -> None:
    services.up(["airflow"])
    api = airflow.api()
    before = [records.running(name) for name in airflow.NIGHT]
    services.up(["airflow"])
    assert [records.running(name) for name in airflow.NIGHT] == before  # one set, not two
    by_rest(api)
    by_command_line(api)
    a_failure_shows_its_reason(house, api)
    sessions = [record.pid for record in before if record]
    os.kill(sessions[1], signal.SIGKILL)  # the scheduler, which leaves its workers behind
    services.down()
    assert not [process for process in psutil.process_iter() if session(process.pid) in sessions]


def session(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None


def by_rest(api: Api) -> None:
    run = api.trigger("retrain_72", "by-rest", {"until": "2026-11-20T02:00:00Z"})
    changes = followed(api, run)
    assert api.state("retrain_72", run) == "success"
    finished = [change.split()[0] for change in changes if change.endswith("success")]
    assert finished == ["pull", "mine", "train", "publish", "rollout", "watch"]
    assert api.xcom("retrain_72", run, "mine") == {"rows": 3, "skipped": False}
    assert "pull until 2026-11-20T02:00:00Z" in api.log("retrain_72", run, "pull")
    assert all((task.seconds or 0) > 0 for task in api.tasks("retrain_72", run).values())


def by_command_line(api: Api) -> None:
    assert airflow.cli(["dags", "trigger", "retrain_72", "--run-id", "by-hand"]) == 0
    followed(api, "by-hand")
    assert api.state("retrain_72", "by-hand") == "success"
    skipped = {
        name: api.xcom("retrain_72", "by-hand", name)["skipped"] for name in ("pull", "mine", "publish")
    }
    assert skipped == {"pull": False, "mine": True, "publish": True}


def a_failure_shows_its_reason(house: Path, api: Api) -> None:
    with pytest.raises(Fixable, match=r"answered 4\d\d: .*until"):
        api.trigger("retrain_72", "bad", {"until": 5})
    run = api.trigger("retrain_72", "unknown", {"untill": "2026-11-20T02:00:00Z"})
    assert "mine upstream_failed" in followed(api, run)
    assert api.reason("retrain_72", run, "pull") == "conf: unknown key 'untill'; known are until"
    assert api.tasks("retrain_72", run)["pull"].tries == 1  # nothing to gain from another try


def test_nothing_is_asked_of_an_airflow_that_is_not_there(checkout: Path) -> None:
    with pytest.raises(Fixable, match="Airflow is not running; `make up` starts it"):
        airflow.api()


def test_an_api_server_that_is_away_is_awaited_and_not_for_ever() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        nobody = f"http://127.0.0.1:{server.getsockname()[1]}"
    with pytest.raises(Fixable, match=r"Airflow does not answer .*; `make status` tells what is up$"):
        Api(nobody, patience=0.1).state("retrain_72", "run")


def test_the_callers_settings_win(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    settings = airflow.environment(8080)
    assert settings["AIRFLOW__CORE__EXECUTOR"] == "CeleryExecutor"
    assert settings["AIRFLOW__API__HOST"] == "127.0.0.1"
    assert settings["AIRFLOW__CORE__DAGS_FOLDER"] == str(checkout / "dags")
