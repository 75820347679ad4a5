"""deploy/: the same DAG under Celery with two workers, and with one worker over HTTP alone."""

import importlib.util
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.services import airflow, records
from pipeline.services.airflow_api import Api

REPOSITORY = Path(__file__).resolve().parents[2]
GPU = {"train", "gate"}
COMMAND = "LONG=1 pytest tests/dags/test_deploy_scripts.py"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif("LONG" not in os.environ, reason=f"takes minutes; `{COMMAND}` runs it"),
    pytest.mark.skipif(
        importlib.util.find_spec("airflow.providers.celery") is None,
        reason="needs the extra `cluster`: `make setup`",
    ),
]


@pytest.fixture
def house(checkout: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(REPOSITORY / "deploy", checkout / "deploy")
    monkeypatch.setenv("GPU_STAGES", " ".join(GPU))
    monkeypatch.setenv("FIFTYONE_DATABASE_URI", "mongodb://nobody.asks")  # no stage of this house does
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    return checkout


def script(house: Path, name: str, act: str, **environment: str) -> str:
    command = [sys.executable, str(house / "deploy" / name), act]
    done = subprocess.run(
        command, cwd=house, env={**os.environ, **environment}, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def night(api: Api) -> dict[str, dict[str, Any]]:
    """Each task instance of a run that went well, as Airflow remembers it."""
    run = api.trigger(airflow.DAG, "far")
    for _ in api.follow(airflow.DAG, run):
        pass
    assert api.state(airflow.DAG, run) == "success"
    found = api.get(f"dags/{airflow.DAG}/dagRuns/{run}/taskInstances")["task_instances"]
    return {task["task_id"]: task for task in found}


@pytest.mark.skipif(
    not (shutil.which("redis-server") and (shutil.which("postgres") or Path("/usr/lib/postgresql").is_dir())),
    reason="needs servers: `apt-get install -y postgresql redis-server`",
)
def test_celery_with_postgresql_redis_and_a_queue_for_the_gpu(house: Path) -> None:
    try:
        told = script(house, "with_celery.py", "up")
        assert "worker-gpu" in records.names() and "airflow-scheduler" in told
        tasks = night(airflow.api())
        assert {name for name, task in tasks.items() if task["queue"] == "gpu"} == GPU
        wait_for(lambda: executed("worker-gpu") == len(GPU))
        wait_for(lambda: executed("worker-default") >= len(tasks) - len(GPU))  # and what watch_72 wanted
    finally:
        script(house, "with_celery.py", "down")
    assert records.names() == []


def wait_for(true: Callable[[], bool]) -> None:
    """A worker writes that a task is done a moment after Airflow knows it."""
    until = time.monotonic() + 30
    while not true():
        assert time.monotonic() < until
        time.sleep(0.2)


def executed(worker: str) -> int:
    return records.log_of(worker).read_text().count("succeeded in")


@pytest.fixture
def remote(house: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker that knows of the house what `env` tells, and nothing else."""
    script(house, "with_edge.py", "up")
    exports = script(house, "with_edge.py", "env").splitlines()
    told = dict(line.removeprefix("export ").split("=", 1) for line in exports)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    with (house / "worker.log").open("wb") as log:
        worker = subprocess.Popen(
            [sys.executable, str(house / "deploy" / "with_edge.py"), "worker"],
            cwd=house,
            env={**kept, **told, "EDGE_HOME": str(house / "far")},
            stdout=log,
            stderr=log,
        )
    yield worker
    worker.terminate()
    try:
        worker.wait(30)
    except subprocess.TimeoutExpired:
        worker.kill()
    script(house, "with_edge.py", "down")


def test_one_remote_worker_over_http(house: Path, remote: subprocess.Popen[bytes]) -> None:
    tasks = night(airflow.api())
    assert {name for name, task in tasks.items() if "Edge" in (task["executor"] or "")} == GPU
    assert remote.poll() is None
    with sqlite3.connect(house / "far" / "nothing.db") as own:
        assert not own.execute("SELECT name FROM sqlite_master").fetchall()  # it asked no database
