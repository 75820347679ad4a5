"""Airflow beside the pipeline: its environment, its four components, its command line.

Settings that the caller's environment already holds (AIRFLOW__SECTION__KEY) win over the ones here.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import metadata
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import drafts
from pipeline.services import records, remains, supervise
from pipeline.services.airflow_api import Api
from pipeline.services.records import Record
from pipeline.services.supervise import Service

API, TRIGGERER = "airflow-api-server", "airflow-triggerer"
COMPONENTS = {  # the name of each with its command, and what health calls it
    API: (["api-server"], "metadatabase"),
    "airflow-scheduler": (["scheduler", "--skip-serve-logs"], "scheduler"),
    "airflow-dag-processor": (["dag-processor"], "dag_processor"),
    TRIGGERER: (["triggerer", "--skip-serve-logs"], "triggerer"),
}
# The night needs no triggerer: nothing in it defers.
NIGHT = tuple(name for name in COMPONENTS if name != TRIGGERER)
POOLS = {
    "house": "one checkout, one stage at a time",
    "gpu": "stages that the machine wants in the queue gpu",
}
PORT = 8080
DAG = "retrain_72"
DATABASE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def start(components: tuple[str, ...] = NIGHT) -> Api:
    """All of them ready, retrain_72 parsed, and the pool it runs in. Idempotent."""
    migrate()
    where = port()  # asked once: where the usual one is taken, each answer is another
    _drop_strangers(where)
    write_environment(where)
    services = [_service(name, where) for name in components]
    for service in services:
        supervise.launch(service)
    supervise.wait(services)
    for name, about in POOLS.items():
        api().pool(name, 1, about)
    api().wait_for_dag(DAG)
    return api()


def api() -> Api:
    record = records.running(API)
    if record is None:
        raise Fixable("var/services: Airflow is not running; `make up` starts it")
    return Api(record.url)


def write_environment(where: int) -> Path:
    """For people who would rather type `airflow` themselves: a file for their shell to read."""
    lines = [f"export {name}={shlex.quote(value)}" for name, value in environment(where).items()]
    file = home() / "env.sh"
    drafts.write(file, "".join(f"{line}\n" for line in lines).encode())
    return file


def cli(argv: list[str]) -> int:
    """The airflow command in this house's environment."""
    migrate()
    return subprocess.call([*_airflow(), *argv], env={**os.environ, **environment(port())})


def port() -> int:
    """One for all components, also where another house has the usual one."""
    record = records.running(API)
    return record.port if record else _chosen(records.house(), PORT)


@cache
def _chosen(_house: Path, preferred: int) -> int:
    return supervise.free_port(API, preferred)


def home() -> Path:
    return records.house() / "var" / "airflow"


def migrate() -> None:
    """Brings the database to the installed version."""
    if _callers(DATABASE):  # on a server of its own
        _run_migration({})
    else:
        _migrate_ours()


def _migrate_ours() -> None:
    """Beside, then renamed: a kill leaves no half of it."""
    version, done = metadata.version("apache-airflow"), home() / "migrated"
    if done.is_file() and done.read_text() == version and _database().is_file():
        return
    with records.locked("airflow-migration"):
        home().mkdir(parents=True, exist_ok=True)
        print(f"preparing Airflow {version}", file=sys.stderr, flush=True)
        _migrated()
        drafts.write(done, version.encode())


def _migrated() -> None:
    draft = _database().with_suffix(".draft")
    draft.unlink(missing_ok=True)
    if _database().is_file():
        shutil.copyfile(_database(), draft)
    _run_migration({DATABASE: f"sqlite:///{draft}"})
    draft.replace(_database())


def _run_migration(place: Mapping[str, str]) -> None:
    run = subprocess.run(
        [*_airflow(), "db", "migrate"],
        env={**os.environ, **environment(PORT), **place},
        capture_output=True,
        text=True,
    )
    if run.returncode:
        raise RuntimeError(f"airflow db migrate failed:\n{run.stdout[-2000:]}{run.stderr[-4000:]}")


def environment(port: int) -> dict[str, str]:
    """What every Airflow process of this house runs in."""
    house = records.house()
    ours = {
        "AIRFLOW_HOME": str(home()),
        "RETRAIN_HOME": str(house),
        "PIPELINE_PYTHON": os.environ.get("PIPELINE_PYTHON", sys.executable),
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
        **_settings(house, port),
    }
    return {name: _callers(name) or value for name, value in ours.items()}


def _callers(name: str) -> str:
    return os.environ.get(name, "") if name.startswith("AIRFLOW__") else ""


def _settings(house: Path, port: int) -> dict[str, str]:
    settings: dict[str, dict[str, object]] = {
        "core": {
            "dags_folder": house / "dags",
            "plugins_folder": house / "plugins",
            "load_examples": False,
            "executor": "LocalExecutor",
            "parallelism": 2,  # processes forked ahead; the pool lets one stage run at a time
            "execution_api_server_url": f"http://127.0.0.1:{port}/execution/",
            # Everyone is an admin, and only this machine can knock.
            "simple_auth_manager_all_admins": True,
            "min_serialized_dag_update_interval": 5,
        },
        "api": {"host": "127.0.0.1", "port": port, "base_url": f"http://127.0.0.1:{port}", "workers": 1},
        "database": {"sql_alchemy_conn": f"sqlite:///{_database()}"},
        "dag_processor": {
            "refresh_interval": 10,
            "min_file_process_interval": 10,
            "parsing_processes": 1,
        },
        "scheduler": {
            "scheduler_idle_sleep_time": 0.25,  # the wait between a stage and the next
            "orphaned_tasks_check_interval": 30,  # what a killed scheduler left half done goes on
            # With the defaults a training task died when the API was away for 40 s.
            "task_instance_heartbeat_timeout": 3600,
        },
        "workers": {
            # Also the longest that the end of a task goes unnoticed: now and then its supervisor sleeps on.
            "min_heartbeat_interval": 1,
            "max_failed_heartbeats": 600,
        },
        "logging": {"namespace_levels": "http.access=WARNING"},
        "execution_api": {"jwt_expiration_time": 86400},
    }
    return {
        f"AIRFLOW__{section.upper()}__{key.upper()}": str(value)
        for section, values in settings.items()
        for key, value in values.items()
    }


def _database() -> Path:
    return home() / "airflow.db"


def _airflow() -> list[str]:
    return [sys.executable, "-m", "airflow"]


def _service(name: str, port: int) -> Service:
    command, _ = COMPONENTS[name]
    return Service(
        name=name,
        command=[*_airflow(), *command],
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=_is_ready,
        environment=environment(port),
        patience=300,  # 20 s are usual, and a busy machine is no reason to give up
    )


def _is_ready(record: Record) -> bool:
    """By its own heartbeat, and one younger than its start: the database remembers those of the last time."""
    health: Mapping[str, Mapping[str, str | None]] = Api(record.url).health()
    called = COMPONENTS[record.name][1]
    component = health.get(called) or {}
    if component.get("status") != "healthy":
        return False
    if record.name == API:
        return supervise.listens(record)
    return (component.get(f"latest_{called}_heartbeat") or "") > record.started


def _drop_strangers(port: int) -> None:
    """A component that talks to a port where the API server no longer is cannot be of use."""
    remains.stop(*(record.name for record in _components() if record.port != port))


def _components() -> Iterator[Record]:
    return (record for name in COMPONENTS if (record := records.running(name)))
