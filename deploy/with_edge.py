"""The house with one worker elsewhere that speaks HTTP alone: no database, no broker, no open port.

    python deploy/with_edge.py up       # here: the house, with the stages of GPU_STAGES left to the worker
    python deploy/with_edge.py env      # here: what the worker must know, for its shell
    python deploy/with_edge.py worker   # there: EDGE_URL and EDGE_SECRET say where the house is

The worker needs the checkout as the house sees it (a shared folder): stages meet in `artifacts/`.
"""

import argparse
import os
import secrets
import shlex
import sys
import tempfile
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import drafts, services
from pipeline.services import airflow, records

EXECUTOR = "airflow.providers.edge3.executors.EdgeExecutor"
TABLES = "airflow.providers.edge3.models.db.EdgeDBManager"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("act", choices=("up", "env", "worker", "down"))
    given = parser.parse_args()
    try:
        match given.act:
            case "up":
                os.environ.update(settings())
                services.up(["airflow"] if "FIFTYONE_DATABASE_URI" in os.environ else ["mongo", "airflow"])
                services.status()
            case "env":
                for name, value in told().items():
                    print(f"export {name}={shlex.quote(value)}")
            case "worker":
                # In place of this process: who stops the script stops the worker.
                os.execve(sys.executable, worker(), {**os.environ, **of_worker()})
            case "down":
                services.down()
    except Fixable as error:
        print(f"retrain-72: {given.act}: {error}", file=sys.stderr)
        return 1
    return 0


def settings() -> dict[str, str]:
    """What the house adds to its environment."""
    return {
        "AIRFLOW__CORE__EXECUTOR": f"LocalExecutor,{EXECUTOR}",
        "AIRFLOW__DATABASE__EXTERNAL_DB_MANAGERS": TABLES,
        "AIRFLOW__EDGE__API_ENABLED": "True",
        "AIRFLOW__EDGE__API_URL": _door(),
        "AIRFLOW__API_AUTH__JWT_SECRET": _secret(),
        "GPU_EXECUTOR": EXECUTOR,
        "GPU_STAGES": os.environ.get("GPU_STAGES", "synthesize train export gate"),
    }


def told() -> dict[str, str]:
    return {"EDGE_URL": _door(), "EDGE_SECRET": _secret()}


def of_worker() -> dict[str, str]:
    """All that a worker knows. Its home is its own, and its database stays empty."""
    door, secret = os.environ.get("EDGE_URL"), os.environ.get("EDGE_SECRET")
    if not door or not secret:
        raise Fixable(
            "EDGE_URL, EDGE_SECRET: not set; `python deploy/with_edge.py env` tells them, at the house"
        )
    house = records.house()
    home = os.environ.get("EDGE_HOME") or tempfile.mkdtemp(prefix="retrain-edge-")
    api = door.partition("/edge_worker/")[0]
    return {
        "AIRFLOW_HOME": home,
        "RETRAIN_HOME": str(house),
        "AIRFLOW__CORE__DAGS_FOLDER": str(house / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(house / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": EXECUTOR,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/nothing.db",
        "AIRFLOW__EDGE__API_URL": door,
        "AIRFLOW__EDGE__API_ENABLED": "True",
        "AIRFLOW__API_AUTH__JWT_SECRET": secret,
    }


def worker() -> list[str]:
    return [sys.executable, "-m", "airflow", "edge", "worker", "--queues", "gpu", "--concurrency", "1"]


def _door() -> str:
    return f"http://127.0.0.1:{airflow.port()}/edge_worker/v1/rpcapi"


def _secret() -> str:
    file: Path = records.services() / "edge.word"
    if not file.exists():
        drafts.write(file, b"")
        file.chmod(0o600)
        file.write_text(secrets.token_urlsafe(48))
    return file.read_text()


if __name__ == "__main__":
    sys.exit(main())
