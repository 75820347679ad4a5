"""Talks to Airflow over its REST API: start a run, follow it, read what came out."""

import json
import os
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from inference_runtime.errors import Fixable

OVER = ("success", "failed")
ERROR = "error: "
PROGRESS = re.compile(r": [\d,]+ of [\d,]+")


@dataclass(frozen=True)
class Task:
    """A task of a run, as of now."""

    name: str
    state: str  # "none" before it is scheduled
    seconds: float | None
    tries: int
    line: str = ""  # while it runs, how far it says it is


@dataclass
class Api:
    url: str
    patience: float = 120
    _token: str = field(default="", repr=False)

    def health(self) -> dict[str, dict[str, str | None]]:
        """Per component; empty as long as nobody answers."""
        try:
            with urllib.request.urlopen(f"{self.url}/api/v2/monitor/health", timeout=5) as answer:
                return dict(json.load(answer))
        except (OSError, ValueError):
            return {}

    def pool(self, name: str, slots: int, description: str) -> None:
        if name not in [pool["name"] for pool in self.get("pools")["pools"]]:
            self.post("pools", {"name": name, "slots": slots, "description": description})

    def wait_for_dag(self, dag: str, patience: float = 60) -> None:
        """Until the DAG is there. A file that does not import is an error with its reason."""
        deadline = time.monotonic() + patience
        while not self._is_parsed(dag):
            if errors := self.get("importErrors")["import_errors"]:
                raise Fixable(f"{errors[0]['filename']}: {errors[0]['stack_trace'].strip().splitlines()[-1]}")
            if time.monotonic() > deadline:
                raise Fixable(
                    f"dags/{dag}.py: not parsed after {patience:.0f} s; see the dag-processor's log"
                )
            time.sleep(0.2)

    def _is_parsed(self, dag: str) -> bool:
        return any(found["dag_id"] == dag for found in self.get("dags")["dags"])

    def trigger(self, dag: str, run_id: str | None = None, conf: Mapping[str, Any] | None = None) -> str:
        """The id of the new run."""
        asked = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf or {})}
        return str(self.post(f"dags/{dag}/dagRuns", asked)["dag_run_id"])

    def state(self, dag: str, run_id: str) -> str:
        return str(self.get(f"{_run(dag, run_id)}")["state"])

    def tasks(self, dag: str, run_id: str) -> dict[str, Task]:
        found = self.get(f"{_run(dag, run_id)}/taskInstances")["task_instances"]
        return {
            task["task_id"]: Task(
                task["task_id"], task["state"] or "none", task["duration"], max(1, task["try_number"])
            )
            for task in found
        }

    def follow(self, dag: str, run_id: str, every: float = 0.5) -> Iterator[Task]:
        """Each task whenever its state changes or it says how far it is, until the run is over."""
        seen: dict[str, tuple[str, int, str]] = {}
        over = False
        while not over:
            over = self.state(dag, run_id) in OVER  # asked first: what follows is then final
            for name, task in self.tasks(dag, run_id).items():
                told = self._with_progress(dag, run_id, task)
                if seen.get(name) != (told.state, told.tries, told.line):
                    seen[name] = (told.state, told.tries, told.line)
                    yield told
            if not over:
                time.sleep(every)

    def _with_progress(self, dag: str, run_id: str, task: Task) -> Task:
        if task.state != "running":
            return task
        lines = self.log(dag, run_id, task.name, task.tries)
        return replace(task, line=next(filter(PROGRESS.search, reversed(lines)), ""))

    def xcom(self, dag: str, run_id: str, task: str) -> Any:
        """What the task returned; None if nothing."""
        try:
            entry = self.get(
                f"{_run(dag, run_id)}/taskInstances/{task}/xcomEntries/return_value?deserialize=true"
            )
        except Refused as refused:
            if refused.status == 404:
                return None
            raise
        return entry["value"]

    def log(self, dag: str, run_id: str, task: str, tries: int = 1) -> list[str]:
        """The lines the task wrote, the error that ended it among them."""
        content = self.get(f"{_run(dag, run_id)}/taskInstances/{task}/logs/{tries}?full_content=true")[
            "content"
        ]
        return [line for entry in content for line in _lines(entry)]

    def reason(self, dag: str, run_id: str, task: str, tries: int = 1) -> str:
        """Why a task failed, in a line."""
        errors = [line for line in self.log(dag, run_id, task, tries) if line.startswith(ERROR)]
        return errors[-1].removeprefix(ERROR) if errors else f"see the log of {task} in {self.url}"

    def get(self, path: str) -> Any:
        """Outlives an API server that is away for a while, as the tasks themselves do."""
        return self._asked_again((Unreachable, Busy), "GET", path)

    def patch(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._asked_again(Busy, "PATCH", path, body)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        return self._asked_again(Busy, "POST", path, body)

    def _asked_again(self, after: type[Fixable] | tuple[type[Fixable], ...], *asked: Any) -> Any:
        deadline = time.monotonic() + self.patience
        while True:
            try:
                return self._ask(*asked)
            except after:
                if time.monotonic() > deadline:
                    raise
                time.sleep(1)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        self._token = self._token or _token(self.url)
        try:
            return _sent(f"{self.url}/api/v2/{path}", method, body, self._token)
        except Refused as refused:
            if refused.status != 401:
                raise
        self._token = ""  # a night can outlive its token
        return self._ask(method, path, body)


class Unreachable(Fixable):
    """Nobody answered."""


class Refused(Fixable):
    """Airflow answered, and said no."""

    def __init__(self, status: int, line: str) -> None:
        super().__init__(line)
        self.status = status


class Busy(Refused):
    """SQLite was being written by another: nothing was done, and it can be asked again.

    The API server logs what it is asked from its event loop, and while that waits for the database, a request
    that has just written to it cannot end: both stand until SQLite's own patience is over.
    """


def _token(url: str) -> str:
    """For the user whom the environment names; on loopback without login everybody is the admin."""
    user, password = os.environ.get("AIRFLOW_USER"), os.environ.get("AIRFLOW_PASSWORD")
    if user and password:
        body = {"username": user, "password": password}
        return str(_sent(f"{url}/auth/token", "POST", body)["access_token"])
    return str(_sent(f"{url}/auth/token", "GET")["access_token"])


def _sent(url: str, method: str, body: Mapping[str, Any] | None = None, token: str = "") -> Any:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(
            urllib.request.Request(url, data, headers, method=method), timeout=30
        ) as answer:
            return json.load(answer)
    except urllib.error.HTTPError as error:
        said = " ".join(error.read().decode(errors="replace").split())[:300]
        kind = Busy if error.code == 500 and '"Database error"' in said else Refused
        raise kind(error.code, f"{url}: Airflow answered {error.code}: {said}") from None
    except OSError as error:
        raise Unreachable(
            f"{url}: Airflow does not answer ({error}); `make status` tells what is up"
        ) from None


def _lines(entry: Mapping[str, Any] | str) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    return [entry["event"], *(f"{ERROR}{error['exc_value']}" for error in entry.get("error_detail") or [])]


def _run(dag: str, run_id: str) -> str:
    return f"dags/{dag}/dagRuns/{urllib.parse.quote(run_id, safe='')}"
