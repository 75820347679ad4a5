"""Operators that run a command of this house, each of its lines into the task's log."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSkipException
from house_process import Process


def home() -> Path:
    """The checkout: the folder with dvc.yaml, params.yaml and artifacts/."""
    return Path(os.environ.get("RETRAIN_HOME") or Path(__file__).resolve().parent.parent)


class HouseCommand(BaseOperator):  # type: ignore[misc]  # airflow is not followed by mypy
    """Runs a command in the checkout. What a person has to put right first is not tried again."""

    ui_color = "#e8f0fe"

    def __init__(self, **kwargs: Any) -> None:
        # What was skipped upstream was unchanged, or not asked for.
        super().__init__(**{"trigger_rule": "none_failed", **kwargs})

    def command(self, asked: Mapping[str, Any]) -> list[str]:
        raise NotImplementedError

    def result(self, lines: list[str], told: Mapping[str, Any]) -> dict[str, Any]:
        return {"line": _last(lines), **told}

    def environment(self, context: Mapping[str, Any]) -> dict[str, str]:
        return _environment(_until(context))

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        _refuse_unknown(context)
        with _sheet() as sheet:
            environment = {**self.environment(context), "TOLD": str(sheet)}
            self._process = Process(self.command(context["params"]), home(), environment)
            lines = list(self._logged(self._process.lines()))
            self._judge(self._process.wait(), lines, _read(sheet), context["ti"].try_number)
            return self.result(lines, _read(sheet))

    def _logged(self, lines: Iterator[str]) -> Iterator[str]:
        for line in lines:
            self.log.info(line)
            yield line

    def _judge(self, code: int, lines: list[str], told: Mapping[str, Any], tried: int) -> None:
        """Patience is for what is away; of what nobody foresaw a second try is enough."""
        if not code:
            return
        line = f"{self.task_id}: {told.get('error') or _last(lines) or f'exit status {code}'}"
        if told.get("again") or (tried == 1 and not told.get("error")):
            raise AirflowException(line)
        raise AirflowFailException(line)

    def on_kill(self) -> None:
        if process := getattr(self, "_process", None):
            process.end()


class PipelineCommand(HouseCommand):
    """`python -m pipeline <task_id>`: what looks at the house or its fleet and is therefore no DVC stage.

    In a dry run it does nothing, unless it has a flag for that. It returns its last line and its sheet.
    """

    ui_color = "#fef3e0"

    def __init__(self, *, dry_run_flag: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry_run_flag = dry_run_flag

    def execute(self, context: Mapping[str, Any]) -> dict[str, Any]:
        if context["params"].get("dry_run") and not self.dry_run_flag:
            _refuse_unknown(context)
            raise AirflowSkipException(f"{self.task_id}: a dry run changes nothing")
        return super().execute(context)

    def command(self, asked: Mapping[str, Any]) -> list[str]:
        flags = [self.dry_run_flag] if asked.get("dry_run") else []
        return [python(), "-m", "pipeline", self.task_id, *flags]


def python() -> str:
    """The interpreter that holds the pipeline."""
    return os.environ.get("PIPELINE_PYTHON") or sys.executable


@contextmanager
def _sheet() -> Iterator[Path]:
    """Where the command writes what its exit status cannot say: DVC makes one status of them all."""
    with tempfile.TemporaryDirectory(prefix="told-") as folder:
        yield Path(folder) / "told.json"


def _read(sheet: Path) -> dict[str, Any]:
    return dict(json.loads(sheet.read_text())) if sheet.is_file() else {}


def _last(lines: list[str]) -> str:
    """The stage's own last word: DVC closes a failure with a line that only repeats the command."""
    own = [line for line in lines if not line.startswith("ERROR: failed to reproduce")]
    return next(reversed(own or lines), "")


def _refuse_unknown(context: Mapping[str, Any]) -> None:
    """Airflow checks the type of what the DAG declares, and lets every other key pass."""
    declared = context["dag"].params
    if unknown := sorted(set(context["dag_run"].conf or {}) - set(declared)):
        known = ", ".join(declared) or "none"
        raise AirflowFailException(f"conf: unknown key {unknown[0]!r}; known are {known}")


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
    path = os.pathsep.join((str(Path(python()).parent), os.environ.get("PATH", os.defpath)))
    return {**os.environ, "PATH": path, "UNTIL": until, "PYTHONUNBUFFERED": "1", "DVC_NO_ANALYTICS": "1"}
