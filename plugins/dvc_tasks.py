"""Draws the tasks of a DAG from dvc.yaml: one per stage, each running `dvc repro --single-item <stage>`."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import DAG, BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException

GRACE = 4.0  # seconds from SIGTERM to SIGKILL: an operator who clears a task waits no longer than five


def home() -> Path:
    """The checkout: the folder with dvc.yaml, params.yaml and artifacts/."""
    return Path(os.environ.get("RETRAIN_HOME") or Path(__file__).resolve().parent.parent)


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
    tasks = {name: DvcStage(task_id=name, dag=dag) for name in graph}
    for name, upstream in graph.items():
        tasks[name].set_upstream([tasks[other] for other in upstream])
    return tasks


class HouseCommand(BaseOperator):  # type: ignore[misc]  # airflow is not followed by mypy
    """Runs a command in the checkout, in a process group of its own, each line of it into the task's log."""

    ui_color = "#e8f0fe"

    def command(self) -> list[str]:
        raise NotImplementedError

    def result(self, lines: list[str]) -> dict[str, Any]:
        return {"line": _last(lines)}

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        _refuse_unknown(context)
        lines = list(self._lines(self._start(_until(context))))
        code = self._process.wait()
        if code:
            raise AirflowException(f"{self.task_id}: {_last(lines) or f'exit status {code}'}")
        return self.result(lines)

    def _start(self, until: str) -> subprocess.Popen[str]:
        # A group and not a session: what outlives a killed scheduler is found by the scheduler's session.
        self._process = subprocess.Popen(
            self.command(),
            cwd=home(),
            env=_environment(until),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
        return self._process

    def _lines(self, process: subprocess.Popen[str]) -> Iterator[str]:
        assert process.stdout
        for line in process.stdout:
            if text := line.rstrip():
                self.log.info(text)
                yield text

    def on_kill(self) -> None:
        process = getattr(self, "_process", None)
        if process is None:
            return
        _signal_group(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + GRACE
        # DVC goes at once; the stage below it may want its time.
        while (process.poll() is None or _signal_group(process.pid, 0)) and time.monotonic() < deadline:
            time.sleep(0.05)
        _signal_group(process.pid, signal.SIGKILL)


class DvcStage(HouseCommand):
    """One stage, run by DVC. One that DVC skips succeeds: an Airflow skip would cascade down the graph."""

    def command(self) -> list[str]:
        return [_python(), "-m", "dvc", "repro", "--single-item", self.task_id]

    def result(self, lines: list[str]) -> dict[str, Any]:
        return {**_summary(self.task_id), "skipped": any(_says_skipped(line, self.task_id) for line in lines)}


class PipelineCommand(HouseCommand):
    """`python -m pipeline <task_id>`: what touches the running fleet and is therefore no DVC stage."""

    ui_color = "#fef3e0"

    def command(self) -> list[str]:
        return [_python(), "-m", "pipeline", self.task_id]


def _says_skipped(line: str, stage: str) -> bool:
    return line.startswith((f"Stage '{stage}' didn't change", f"Stage '{stage}' is cached"))


def _summary(stage: str) -> dict[str, Any]:
    file = home() / "artifacts" / stage / "summary.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def _last(lines: list[str]) -> str:
    """The stage's own last word: DVC closes a failure with a line that only repeats the command."""
    own = [line for line in lines if not line.startswith("ERROR: failed to reproduce")]
    return next(reversed(own or lines), "")


def _refuse_unknown(context: Mapping[str, Any]) -> None:
    """Airflow checks the type of what the DAG declares, and lets every other key pass."""
    declared = context["dag"].params
    if unknown := sorted(set(context["dag_run"].conf or {}) - set(declared)):
        raise AirflowFailException(f"conf: unknown key {unknown[0]!r}; known are {', '.join(declared)}")


def _until(context: Mapping[str, Any]) -> str:
    """The moment up to which `pull` reads; with it any night can be run again."""
    if asked := context["params"].get("until"):
        return _utc(datetime.fromisoformat(asked))
    return _utc(context["dag_run"].run_after)


def _utc(moment: datetime) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _environment(until: str) -> dict[str, str]:
    # dvc.yaml says `python`: that must be the interpreter which holds the pipeline.
    path = os.pathsep.join((str(Path(_python()).parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path, "UNTIL": until, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}


def _python() -> str:
    return os.environ.get("PIPELINE_PYTHON") or sys.executable


def _signal_group(group: int, which: int) -> bool:
    """Whether anyone was there to hear it."""
    try:
        os.killpg(group, which)
    except ProcessLookupError:
        return False
    return True
