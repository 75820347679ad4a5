"""The DAGs beside the night, as Airflow parses them."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

PARSE = """
import json, sys
sys.path.insert(0, sys.argv[2])
from airflow.dag_processing.dagbag import DagBag
from airflow.serialization.serialized_objects import DagSerialization
bag = DagBag(sys.argv[1])
for dag in bag.dags.values():
    DagSerialization.to_dict(dag)
print(json.dumps({"errors": list(bag.import_errors.values())} | {
    dag.dag_id: {
        "tasks": [task.task_id for task in dag.tasks],
        "pools": sorted({task.pool for task in dag.tasks}),
        "params": list(dag.params),
        "once": [dag.max_active_runs, dag.catchup],
        "lines": len(open(dag.fileloc).read().splitlines()),
    } for dag in bag.dags.values()
}))
"""


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = str(tmp_path_factory.mktemp("airflow"))
    environment = {**os.environ, "AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    command = [sys.executable, "-c", PARSE, str(REPOSITORY / "dags"), str(REPOSITORY / "plugins")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    assert found.pop("errors") == []
    return found


def test_four_dags_each_a_page_at_most(dags: dict[str, Any]) -> None:
    assert sorted(dags) == ["backup_72", "retrain_72", "tidy_72", "watch_72"]
    assert all(dag["lines"] <= 80 for dag in dags.values())
    assert all(dag["once"] == [1, False] for dag in dags.values())


@pytest.mark.parametrize("name", ["backup", "tidy"])
def test_a_chore_waits_for_the_night(dags: dict[str, Any], name: str) -> None:
    assert dags[f"{name}_72"]["tasks"] == [name]
    assert dags[f"{name}_72"]["pools"] == ["house"]  # the one that the stages take, too


def test_tidying_can_be_tried_first(dags: dict[str, Any]) -> None:
    assert dags["tidy_72"]["params"] == ["dry_run"]
