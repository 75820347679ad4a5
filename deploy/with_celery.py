"""The house with Celery: nights on several machines, the stages of GPU_STAGES in a queue of their own.

    python deploy/with_celery.py up            # the house and a worker for each queue, on this machine
    python deploy/with_celery.py worker gpu    # one more, on a machine that sees the same checkout
    python deploy/with_celery.py env           # what `up` runs in, for a shell or another machine
    python deploy/with_celery.py down

AIRFLOW__DATABASE__SQL_ALCHEMY_CONN and AIRFLOW__CELERY__BROKER_URL name your PostgreSQL and Redis. Where they
name none, throw-away ones are started (`apt-get install -y postgresql redis-server`).
"""

import argparse
import os
import shlex
import sys

import servers

from inference_runtime.errors import Fixable
from pipeline import services
from pipeline.services import airflow, records, remains, supervise
from pipeline.services.records import Record
from pipeline.services.supervise import Service

QUEUES = ("default", "gpu")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("act", choices=("up", "worker", "env", "down"))
    parser.add_argument("queue", nargs="?", default="default", help="of one more worker")
    given = parser.parse_args()
    try:
        match given.act:
            case "up":
                up()
            case "worker":
                settle()
                # In place of this process: who stops the script stops the worker.
                os.execve(sys.executable, _worker(given.queue), {**os.environ, **_environment()})
            case "env":
                for name, value in (settings() | _address()).items():
                    print(f"export {name}={shlex.quote(value)}")
            case "down":
                down()
    except Fixable as error:
        print(f"retrain-72: {given.act}: {error}", file=sys.stderr)
        return 1
    return 0


def up() -> None:
    settle()
    services.up(["airflow"] if "FIFTYONE_DATABASE_URI" in os.environ else ["mongo", "airflow"])
    workers = [_service(queue) for queue in QUEUES]
    for worker in workers:
        supervise.launch(worker)
    supervise.wait(workers)
    services.status()


def down() -> None:
    remains.stop(*map(_name, QUEUES), grace=20)
    services.down()
    remains.stop(servers.REDIS, servers.POSTGRES)


def settle() -> None:
    """Every process from here on runs in it; what the caller set already stays."""
    for name, value in settings().items():
        os.environ.setdefault(name, value)


def settings() -> dict[str, str]:
    database = os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN") or servers.postgres()
    broker = os.environ.get("AIRFLOW__CELERY__BROKER_URL") or servers.redis()
    return {
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__PARALLELISM": "8",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
        "AIRFLOW__CELERY__BROKER_URL": broker,
        "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{database}",
        # A night's longest stage must not be handed out twice: a week.
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "604800",
        "AIRFLOW__CELERY__WORKER_CONCURRENCY": "1",
        "AIRFLOW__CELERY__WORKER_PREFETCH_MULTIPLIER": "1",
        "AIRFLOW__OPERATORS__DEFAULT_QUEUE": QUEUES[0],
        "GPU_STAGES": "synthesize train export gate",
    }


def _address() -> dict[str, str]:
    """Where tasks report to; another machine has to say another host."""
    name = "AIRFLOW__CORE__EXECUTION_API_SERVER_URL"
    return {name: _environment()[name]}


def _environment() -> dict[str, str]:
    return airflow.environment(airflow.port())


def _service(queue: str) -> Service:
    port = airflow.port()
    return Service(
        name=_name(queue),
        command=_worker(queue),
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=_is_ready,
        environment=_environment(),
    )


def _worker(queue: str) -> list[str]:
    # Logs are read where they lie: both workers write them into the same checkout.
    flags = ["--queues", queue, "--celery-hostname", f"{queue}@%h", "--skip-serve-logs"]
    return [sys.executable, "-m", "airflow", "celery", "worker", *flags]


def _name(queue: str) -> str:
    return f"worker-{queue}"


def _is_ready(record: Record) -> bool:
    return "ready." in records.log_of(record.name).read_text(errors="replace")


if __name__ == "__main__":
    sys.exit(main())
