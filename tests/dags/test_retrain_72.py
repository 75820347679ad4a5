"""The DAG as Airflow parses it, in a process of its own: the graph of dvc.yaml, at no cost."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]

PARSE = """
import json, sys, time
sys.path.insert(0, sys.argv[2])
import airflow.sdk, airflow.timetables.trigger
from airflow.dag_processing.dagbag import DagBag
before, began = set(sys.modules), time.process_time()
bag = DagBag(sys.argv[1])
seconds = time.process_time() - began
dag = bag.dags["retrain_72"]
from airflow.serialization.serialized_objects import DagSerialization
DagSerialization.to_dict(dag)
print(json.dumps({
    "errors": {str(file): error for file, error in bag.import_errors.items()},
    "edges": {task.task_id: sorted(task.upstream_task_ids) for task in dag.tasks},
    "pools": sorted({task.pool for task in dag.tasks}),
    "retries": sorted({task.retries for task in dag.tasks}),
    "active": [dag.max_active_runs, dag.max_active_tasks, dag.catchup, dag.is_paused_upon_creation],
    "start": str(dag.start_date),
    "params": list(dag.params),
    "gpu": sorted(f"{task.task_id} {task.queue} {task.executor}" for task in dag.tasks if task.pool == "gpu"),
    "assets": [asset.name for asset in dag.timetable.asset_condition.objects],
    "emitted": sorted(outlet.name for task in dag.tasks for outlet in task.outlets),
    "seconds": seconds,
    "modules": sorted({name.partition(".")[0] for name in set(sys.modules)}),
    "new": sorted({name.partition(".")[0] for name in set(sys.modules) - before}),
}))
"""

HEAVY = {
    *(
        "torch",
        "transformers",
        "fiftyone",
        "polars",
        "pandas",
        "cv2",
        "onnx",
        "onnxruntime",
        "scipy",
        "sklearn",
    ),
    *("PIL", "matplotlib", "pytorch_lightning", "dvc", "pipeline", "inference_runtime"),
}


def parsed(home: Path, airflow_home: Path, **settings: str) -> dict[str, Any]:
    environment = {
        **os.environ,
        **settings,
        "RETRAIN_HOME": str(home),
        "AIRFLOW_HOME": str(airflow_home),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    run = subprocess.run(
        [sys.executable, "-c", PARSE, str(REPOSITORY / "dags"), str(REPOSITORY / "plugins")],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def dag(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    home = tmp_path_factory.mktemp("home")
    (home / "dvc.yaml").write_text(
        "stages:\n"
        "  pull: {cmd: x, outs: [artifacts/pull]}\n"
        "  train: {cmd: x, deps: [artifacts/pull], outs: [artifacts/train]}\n"
        "  champion: {cmd: x, outs: [artifacts/champion]}\n"
        "  gate: {cmd: x, deps: [artifacts/train, artifacts/champion], outs: [artifacts/gate]}\n"
        "  publish: {cmd: x, deps: [artifacts/gate], outs: [artifacts/publish]}\n"
    )
    return parsed(home, tmp_path_factory.mktemp("airflow"))


def test_the_graph_is_that_of_dvc_yaml_and_ends_in_rollout(dag: dict[str, Any]) -> None:
    assert dag["errors"] == {}
    assert dag["edges"] == {
        "pull": [],
        "train": ["pull"],
        "champion": [],
        "gate": ["champion", "train"],
        "approve": ["gate"],
        "publish": ["approve", "gate"],
        "rollout": ["publish"],
        "watch": ["rollout"],
    }


def test_one_stage_at_a_time_and_one_night_at_a_time(dag: dict[str, Any]) -> None:
    assert (dag["pools"], dag["retries"]) == (
        ["default_pool", "house"],
        [6],
    )  # who waits for a person holds no house
    assert dag["active"] == [1, 1, False, False]
    assert dag["start"] == "None"


def test_the_shipped_dvc_yaml_is_a_night(tmp_path: Path) -> None:
    dag = parsed(REPOSITORY, tmp_path)
    described = yaml.safe_load((REPOSITORY / "dvc.yaml").read_text())["stages"]
    by_deps = {
        name: sorted(other for other in described if f"artifacts/{other}" in stage["deps"])
        for name, stage in described.items()
    }
    by_deps["publish"] = sorted([*by_deps["publish"], "approve"])
    assert dag["edges"] == by_deps | {"approve": ["gate"], "rollout": ["publish"], "watch": ["rollout"]}


def test_parsing_costs_nothing_beyond_airflow_itself(dag: dict[str, Any]) -> None:
    assert dag["seconds"] < 0.3  # CPU seconds; hundredths in fact


def test_parsing_loads_nothing_heavy(dag: dict[str, Any]) -> None:
    assert not HEAVY & set(dag["modules"])
    assert "dvc_tasks" in dag["new"]


def test_a_run_can_be_asked_for_what_a_person_may_want(dag: dict[str, Any]) -> None:
    assert dag["params"] == ["until", "dry_run", "require_approval", "painter", "force"]


def test_the_painters_on_offer_are_those_of_params() -> None:
    from typing import get_args

    from pipeline.params import PainterName

    source = (REPOSITORY / "dags" / "retrain_72.py").read_text()
    assert f"PAINTERS = {get_args(PainterName)}".replace("'", '"') in source


def test_hard_cases_start_it_and_it_emits_none_itself(dag: dict[str, Any]) -> None:
    assert dag["assets"] == ["hard-cases-full"]
    assert not set(dag["assets"]) & set(dag["emitted"])  # it would start itself for ever


def test_gpu_stages_wait_where_the_machine_says(dag: dict[str, Any], tmp_path: Path) -> None:
    assert dag["gpu"] == []
    settings = {"GPU_STAGES": "train, export", "GPU_EXECUTOR": "LocalExecutor"}
    there = parsed(REPOSITORY, tmp_path, **settings)
    assert there["gpu"] == ["export gpu LocalExecutor", "train gpu LocalExecutor"]
