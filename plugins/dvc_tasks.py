"""Draws the tasks of a DAG from dvc.yaml: one per stage, each running `dvc repro --single-item <stage>`."""

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import DAG, BaseOperatorLink
from airflow.sdk.exceptions import AirflowSkipException
from house_approval import refusal
from house_commands import HouseCommand, home, python
from house_lineage import artifact, record, shelf

REPORTS = {
    "gate": "gate",
    "assemble": "dataset",
}  # what a stage leaves for people, as the page "Gate" serves it


def stages(dvc_yaml: Path) -> dict[str, list[str]]:
    """Each stage with the stages whose outputs it reads, in the order of the file."""
    described: dict[str, dict[str, Any]] = yaml.safe_load(dvc_yaml.read_text())["stages"]
    made = {name: _places(stage, "outs", "metrics", "plots") for name, stage in described.items()}
    read = {name: _places(stage, "deps") for name, stage in described.items()}
    return {
        name: [other for other in made if other != name and _meet(made[other], read[name])]
        for name in described
    }


def _places(stage: Mapping[str, Any], *kinds: str) -> list[Path]:
    """DVC writes a place as a string, or as a mapping from it to its options."""
    entries = [entry for kind in kinds for entry in stage.get(kind, [])]
    return [Path(entry if isinstance(entry, str) else next(iter(entry))) for entry in entries]


def _meet(outs: Iterable[Path], deps: list[Path]) -> bool:
    return any(out == dep or out in dep.parents or dep in out.parents for out in outs for dep in deps)


def draw(dag: DAG) -> dict[str, "DvcStage"]:
    """A task for each stage of dvc.yaml, wired as there."""
    graph = stages(home() / "dvc.yaml")
    tasks = {name: DvcStage(task_id=name, dag=dag, **_machine(name)) for name in graph}
    for name, upstream in graph.items():
        tasks[name].set_upstream([tasks[other] for other in upstream])
    return tasks


def _machine(stage: str) -> dict[str, str]:
    """Where the stage runs: GPU_STAGES names those that wait in the queue and the pool `gpu`."""
    if stage not in os.environ.get("GPU_STAGES", "").replace(",", " ").split():
        return {}
    executor = os.environ.get("GPU_EXECUTOR")
    return {"queue": "gpu", "pool": "gpu", **({"executor": executor} if executor else {})}


class ReportLink(BaseOperatorLink):  # type: ignore[misc]
    """A button on the task: the page that the stage left."""

    name = "Report"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        house = os.environ.get("AIRFLOW__API__BASE_URL", "").rstrip("/")
        return f"{house}/gate/reports/{REPORTS[operator.task_id]}"


class DvcStage(HouseCommand):
    """One stage, run by DVC. Unchanged, it is shown as skipped; what reads it goes on all the same."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"outlets": [shelf(kwargs["task_id"])], **kwargs})
        self.operator_extra_links = (ReportLink(),) if self.task_id in REPORTS else ()

    def command(self, asked: Mapping[str, Any]) -> list[str]:
        wanted = {"--dry": asked.get("dry_run"), "--force": self._is_forced(asked)}
        flags = [flag for flag, is_set in wanted.items() if is_set]
        return [python(), "-m", "dvc", "repro", "--single-item", *flags, self.task_id]

    def environment(self, context: Mapping[str, Any]) -> dict[str, str]:
        painter = context["params"].get("painter")
        asked = {"PAINTER": painter} if painter else {}
        return super().environment(context) | asked | refusal(self, context)

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        came = super().execute(context)
        if context["params"].get("dry_run"):
            return {"would": "do nothing" if came["skipped"] else "run"}
        if came["skipped"]:
            # What a skipped task returns is lost, so it is left behind first.
            context["ti"].xcom_push(key="return_value", value=came)
            raise AirflowSkipException(f"{self.task_id}: unchanged")
        return came

    def post_execute(self, context: Mapping[str, Any], result: Any = None) -> None:
        """What it made is told with its origin; a dry run made nothing."""
        if not context["params"].get("dry_run"):
            told = record(home(), self.task_id, context["dag_run"].run_id)
            context["outlet_events"][shelf(self.task_id)].add(artifact(self.task_id), extra=told)

    def result(self, lines: list[str], told: Mapping[str, Any]) -> dict[str, Any]:
        return {**_summary(self.task_id), "skipped": any(_says_skipped(line, self.task_id) for line in lines)}

    def _is_forced(self, asked: Mapping[str, Any]) -> bool:
        """DVC watches params.yaml, and cannot know of a painter that only this night wants."""
        return bool(asked.get("force") or (asked.get("painter") and self.task_id == "synthesize"))


def _says_skipped(line: str, stage: str) -> bool:
    return line.startswith((f"Stage '{stage}' didn't change", f"Stage '{stage}' is cached"))


def _summary(stage: str) -> dict[str, Any]:
    file = home() / "artifacts" / stage / "summary.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {}
