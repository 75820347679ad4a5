"""What the checkout says of itself: small files that the stages leave, read anew for each look."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

REPORTS = {"gate": "artifacts/gate/report.html", "dataset": "artifacts/assemble/report.html"}
SHOWN = 24


@dataclass(frozen=True)
class Reign:
    """A release that was champion from one moment on."""

    version: str
    bundle: str
    since: datetime
    reward: float | None  # on gold, as the gate saw it
    bounds: tuple[float, float] | None  # of its 95 % interval
    withdrawn: str | None  # why, if it was taken back


@dataclass(frozen=True)
class Case:
    image: str
    reason: str
    score: float | None
    p: float | None


@dataclass(frozen=True)
class Facts:
    verdict: dict[str, Any] | None
    judged: datetime | None
    reigns: list[Reign]  # the newest last
    age: dict[str, Any]
    cases: list[Case]
    waiting: int  # cases in all
    reports: list[str]
    cost: str  # of the last night, in a line
    fiftyone: str | None  # address of the dataset in the App

    @property
    def champion(self) -> Reign | None:
        return next((one for one in reversed(self.reigns) if one.withdrawn is None), None)


def home() -> Path:
    return Path(os.environ.get("RETRAIN_HOME") or Path(__file__).resolve().parents[2])


def facts() -> Facts:
    verdict = home() / "artifacts" / "gate" / "verdict.json"
    params = _params()
    cases = _cases()
    return Facts(
        verdict=_json(verdict),
        judged=_moment_of(verdict),
        reigns=list(_reigns()),
        age=params.get("age", {}),
        cases=cases[:SHOWN],
        waiting=len(cases),
        reports=list(reports()),
        cost=_cost_line(),
        fiftyone=_fiftyone(params.get("people", {}).get("dataset")),
    )


def reports() -> dict[str, Path]:
    """Those that are there."""
    return {name: home() / place for name, place in REPORTS.items() if (home() / place).is_file()}


def cost() -> str:
    """What the night cost, as the script that its report loads; nothing before the first."""
    file = home() / os.environ.get("NIGHT_COST", "var/night_cost.js")
    return file.read_text() if file.is_file() else ""


def _cost_line() -> str:
    """The same for people; the script says it in one string of JSON."""
    said = re.search(r'textContent = (".*");', cost())
    return str(json.loads(said[1])) if said else ""


def _reigns() -> Iterator[Reign]:
    known = _json(home() / "var" / "champions.json") or {"releases": [], "withdrawn": {}}
    for told in known["releases"]:
        low, high = told.get("reward_low"), told.get("reward_high")
        yield Reign(
            version=told["version"],
            bundle=told["bundle"],
            since=datetime.fromisoformat(told["at"]),
            reward=told.get("reward"),
            bounds=None if low is None or high is None else (low, high),
            withdrawn=known["withdrawn"].get(told["bundle"]),
        )


def _cases() -> list[Case]:
    """Those that wait for a label, the most uncertain first."""
    file = home() / "artifacts" / "mine" / "samples.parquet"
    if not file.is_file():
        return []
    import polars as pl

    table = pl.read_parquet(file, columns=["image", "reason", "score", "p", "label"])
    waiting = table.filter(pl.col("label").is_null()).sort("score", "image", descending=[True, False])
    return [Case(*row) for row in waiting.select("image", "reason", "score", "p").iter_rows()]


def _fiftyone(dataset: str | None) -> str | None:
    """FIFTYONE_APP_URL where the App is reached by another address than it was started under."""
    record = _json(home() / "var" / "services" / "app.json") or {}
    address = os.environ.get("FIFTYONE_APP_URL") or record.get("url")
    return f"{address.rstrip('/')}/datasets/{dataset}" if address and dataset else None


def _params() -> dict[str, Any]:
    file = home() / "params.yaml"
    return dict(yaml.safe_load(file.read_text())) if file.is_file() else {}


def _json(file: Path) -> dict[str, Any] | None:
    """None as long as it is not there; what a stage writes appears whole."""
    try:
        return dict(json.loads(file.read_text()))
    except FileNotFoundError:
        return None


def _moment_of(file: Path) -> datetime | None:
    return datetime.fromtimestamp(file.stat().st_mtime, UTC) if file.is_file() else None
