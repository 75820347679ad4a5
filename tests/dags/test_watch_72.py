"""The watch's DAG as Airflow parses it: two looks that wait for no night."""

import json
import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]

PARSE = """
import json, sys
sys.path.insert(0, sys.argv[2])
from airflow.dag_processing.dagbag import DagBag
bag = DagBag(sys.argv[1])
dag = bag.dags["watch_72"]
print(json.dumps({
    "errors": list(bag.import_errors.values()),
    "tasks": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
    "pools": sorted({task.pool for task in dag.tasks}),
    "emits": {task.task_id: [outlet.name for outlet in task.outlets] for task in dag.tasks if task.outlets},
    "active": dag.max_active_runs, "catchup": dag.catchup,
}))
"""


def test_two_looks_that_wait_for_no_night(tmp_path: Path) -> None:
    environment = {**os.environ, "AIRFLOW_HOME": str(tmp_path), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    run = subprocess.run(
        [sys.executable, "-c", PARSE, str(REPOSITORY / "dags"), str(REPOSITORY / "plugins")],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert json.loads(run.stdout.splitlines()[-1]) == {
        "errors": [],
        "tasks": {"watch": [], "buffer": []},
        "pools": ["default_pool"],
        "emits": {"buffer": ["hard-cases-full"]},
        "active": 1,
        "catchup": False,
    }
