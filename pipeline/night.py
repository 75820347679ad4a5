"""One whole retraining night: what it needs is started, the DAG runs and is told, all is stopped again."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline import services, simulation, stages
from pipeline.accounts import costs, runs, table
from pipeline.params import Params
from pipeline.progress import say
from pipeline.services import airflow, mongo, records, runtime
from pipeline.services.airflow_api import Api, Task

ARTIFACTS = Path("artifacts")
ORDER = (*stages.NAMES, "approve", "rollout", "watch")
WELL = ("success", "skipped")


@dataclass(frozen=True)
class Told:
    """A task of the night, when it was over."""

    name: str
    state: str
    seconds: float
    came: dict[str, Any]


def run(params: Params, challenges: int | None, until: str | None) -> int:
    simulation.seed(params)
    with _house(params):
        paid = _day(params, challenges)
        api = airflow.api()
        say("night: retrain_72 in Airflow")
        run_id = api.trigger(airflow.DAG, f"night-{datetime.now(UTC):%Y%m%dT%H%M%S}", {"until": until})
        told = list(_followed(api, run_id))
        state = api.state(airflow.DAG, run_id)
        _print(told, paid, params)
    return 0 if state == "success" else 1


@contextmanager
def _house(params: Params) -> Iterator[None]:
    """What a night needs, for the while; what stood before is left standing."""
    runtime.journal().mkdir(parents=True, exist_ok=True)
    missing = list(_missing(params))
    say(f"night: starting {', '.join(missing)}" if missing else "night: the house is up already")
    try:
        services.up(missing, champion=lambda: champion(params))
        yield
    finally:
        if missing:
            services.down(missing)


def _missing(params: Params) -> Iterator[str]:
    for name, service in (("mongo", mongo.NAME), ("airflow", airflow.API)):
        if records.running(service) is None:
            yield name
    # Before the first champion there is nothing to serve; and RUNTIME_URL may name one that serves elsewhere.
    if hubs.reigning(hubs.at(params.hub)) and runtime.url() is None:
        yield "runtime"


def champion(params: Params) -> Path:
    """The folder of the bundle that a runtime should serve."""
    shelf = hubs.at(params.hub)
    release = hubs.reigning(shelf)
    if release is None:
        raise Fixable(f"params.yaml: hub.repo: {params.hub.repo} holds no bundle; run a night first")
    return shelf.place(release.bundle)


def _day(params: Params, challenges: int | None) -> float | None:
    """What happened since the last night: people answered, validators asked. Nothing unless asked for."""
    count = _default_challenges(params) if challenges is None else challenges
    if not count:
        return None
    if (ARTIFACTS / "mine" / "summary.json").exists():
        simulation.label(params, ARTIFACTS)
    return simulation.play(params, count)


def _default_challenges(params: Params) -> int:
    ours = Path(params.pull.base).is_relative_to(simulation.HOME)
    return params.world.challenges if ours and not simulation.TRUTH.exists() else 0


def _followed(api: Api, run_id: str) -> Iterator[Told]:
    for task in api.follow(airflow.DAG, run_id):
        match task.state:
            case "running":
                say(f"night: {task.line or task.name + ' ...'}")
            case "up_for_retry":
                say(f"night: {task.name} failed and is tried again: {_why(api, run_id, task)}")
            case "awaiting_input":
                say(f"night: {task.name} waits for a person: {api.url}/dags/{airflow.DAG}/runs/{run_id}")
            case "skipped" if task.name not in stages.NAMES:
                pass  # nobody asked for it
            case "success" | "skipped":
                came = api.xcom(airflow.DAG, run_id, task.name) or {}
                yield Told(task.name, task.state, task.seconds or 0.0, came)
            case "failed":
                yield Told(task.name, task.state, task.seconds or 0.0, {"line": _why(api, run_id, task)})
            case "upstream_failed":
                yield Told(task.name, "not run", 0.0, {"line": ""})


def _why(api: Api, run_id: str, task: Task) -> str:
    said = api.reason(airflow.DAG, run_id, task.name, task.tries)
    return said.removeprefix(f"{task.name}: ").removeprefix(f"retrain-72: {task.name}: ")


def _print(told: list[Told], paid: float | None, params: Params) -> None:
    console = Console(highlight=False)
    table = Table("stage", "seconds", "what came out", title="retrain_72", title_justify="left")
    for task in sorted(told, key=lambda task: ORDER.index(task.name)):
        table.add_row(task.name, f"{task.seconds:.1f}", _outcome(task))
    console.print(table)
    if paid is not None:
        console.print(f"today's challenges would have paid {paid:.3f} each")
    verdict = _json(ARTIFACTS / "gate" / "verdict.json")
    if all(task.state in WELL for task in told):
        for line in [*_judgement(verdict), *_served(params), _cost(params), *_where(told)]:
            console.print(line)


def _outcome(task: Told) -> str:
    if task.state not in WELL:
        return f"[red]{task.state}[/red] {escape(task.came['line'])}"
    if task.came.get("skipped"):
        return "unchanged, skipped"
    if "line" in task.came:
        return escape(str(task.came["line"]).removeprefix(f"{task.name}: "))
    came = {key: value for key, value in task.came.items() if key != "skipped"}
    return ", ".join(f"{key.replace('_', ' ')} {_figure(value)}" for key, value in came.items())


def _figure(value: Any) -> str:
    match value:
        case None:
            return "none"
        case float():
            return f"{value:,.3g}"
        case int() if not isinstance(value, bool):
            return f"{value:,}"
        case _:
            return str(value)


def _judgement(verdict: dict[str, Any]) -> Iterator[str]:
    colour = {"PASS": "green", "FAIL": "red"}.get(verdict["value"], "yellow")
    yield f"verdict [{colour}]{verdict['value']}[/{colour}]"
    yield from (f"  {reason}" for reason in verdict["reasons"])
    reward = {side: scores["reward"] for side, scores in verdict["scores"].items()}
    if "champion" in reward:
        before, after = reward["champion"], reward["challenger"]
        yield f"expected reward on gold: champion {before:.3f} -> challenger {after:.3f}"


def _served(params: Params) -> Iterator[str]:
    release, serving = hubs.reigning(hubs.at(params.hub)), runtime.models()
    if release and serving:
        word = "serves" if serving["bundle"] == release.bundle else "does not yet serve"
        yield f"the runtime {word} {params.publish.name} {release.version}, since {serving['since']}"


def _cost(params: Params) -> str:
    return table.brief(costs.latest(runs.all_of(runs.place())), params.prices)


def _where(told: list[Told]) -> Iterator[str]:
    yield "look next"
    yield f"  report    {ARTIFACTS / 'gate' / 'report.html'}"
    if record := records.running(airflow.API):
        kept = "now" if records.running("airflow-triggerer") else "after `make up`"
        yield f"  Airflow   {record.url}/dags/{airflow.DAG} ({kept})"
    yield "  FiftyOne  `make up`, then the saved view `case`: what waits for a label"


def _json(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text())) if file.exists() else {}
