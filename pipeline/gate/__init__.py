"""Lets the challenger compete with the champion; the verdict names its evidence."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from pipeline import samples
from pipeline.gate import budgets, contest, evidence, fresh, parity, replica, report, slices, verdict
from pipeline.gate.contest import Answers, View
from pipeline.gate.verdict import Ruling
from pipeline.params import Age, Backbone, Gate

Told = dict[str, Any]


def run(
    params: Gate, backbone: Backbone, age: Age, export: Path, champion: Path, assemble: Path, out: Path
) -> None:
    table = samples.read(assemble).sort("image")
    opponent = champion / "bundle" if (champion / "bundle").is_dir() else None
    challenger = bundle.load(export)
    told: Told = {
        "challenger": challenger.id,
        "champion": bundle.load(opponent).id if opponent else None,
        "age": age.model_dump() | _reign(champion),
        # Of what the challenger was made, and by which numbers it is judged.
        "lineage": dict(challenger.lineage) | {"judged_by": _digest(params)},
    }
    ruling = _early(table, export, opponent, backbone, params, told)
    if ruling is None:
        ruling = _judged(table, export, opponent, champion, params, told, out)
    said = {"value": ruling.value, "reasons": ruling.reasons, "changes": ruling.changes} | told
    (out / "verdict.json").write_text(json.dumps(said, indent=2))
    (out / "summary.json").write_text(json.dumps(_summary(said)))
    (out / "report.html").write_text(report.page(said, _items(out)))


def _digest(params: Gate) -> str:
    return hashlib.sha256(params.model_dump_json().encode()).hexdigest()


def _early(
    table: pl.DataFrame, export: Path, opponent: Path | None, backbone: Backbone, params: Gate, told: Told
) -> Ruling | None:
    """What can fail a challenger before gold is touched."""
    found = parity.measured(_split(table, "train"), export, backbone, params)
    told["parity"] = asdict(found)
    if ruling := verdict.on_parity(found):
        return ruling
    told["budgets"] = budgets.kept(export, params)
    if (ruling := verdict.on_budgets(told["budgets"])) or opponent is None:
        return ruling
    dev = contest.met(contest.views(_split(table, "dev")), export, opponent, "dev pictures")
    pair = evidence.pair(dev)
    told["dev"] = asdict(pair)
    return verdict.on_screen(pair, params)


def _judged(
    table: pl.DataFrame,
    export: Path,
    opponent: Path | None,
    champion: Path,
    params: Gate,
    told: Told,
    out: Path,
) -> Ruling:
    gold = contest.views(_split(table, "holdout"))
    if opponent is None:
        answers = contest.met(gold, export, None, "gold pictures")
        told |= evidence.alone(answers, params)
        _write_items(gold, answers, out)
        return verdict.first(answers, params)
    ledger = fresh.ledger(champion)
    rolling = table.filter(pl.col("split") == "rolling")
    parts = {
        "gold": gold,
        "beside": replica.beside(
            _split(table, "holdout"), params.replica, params.painted, str(told["challenger"])
        ),
        "fresh": contest.views(fresh.unspent(rolling, ledger.spent)),
        "cases": contest.views(table.filter(pl.col("tags").list.contains("incident") & _tested())),
    }
    asked = [view for part in parts.values() for view in part]
    answers = contest.met(asked, export, opponent, "views of gold, replica and fresh items")
    rows = dict(_rows(parts))
    _write_items([*gold, *parts["fresh"]], answers.of(np.append(rows["gold"], rows["fresh"])), out)
    return _ruled(parts, answers, rows, ledger, fresh.kin(export), champion, params, told)


def _ruled(
    parts: dict[str, list[View]],
    answers: Answers,
    rows: dict[str, slices.Rows],
    ledger: fresh.Ledger,
    kin: str,
    champion: Path,
    params: Gate,
    told: Told,
) -> Ruling:
    asked = answers.of(rows["fresh"])
    signs = fresh.signs(asked)
    images = [view.image for view in parts["fresh"]]
    both = answers.of(np.append(rows["gold"], rows["beside"]))
    parted = slices.judged(both, slices.rows(parts["gold"], parts["beside"]), params)
    grown = ledger.grown(kin, signs)
    cases = [view.image for view in parts["cases"]]
    lost = evidence.lost(cases, answers.of(rows["cases"]))
    found, figures = evidence.gathered(
        answers.of(rows["gold"]),
        both,
        replica.painted([*parts["gold"], *parts["beside"]]),
        grown,
        parted,
        lost,
        ledger.attempt,
        _reign(champion)["due"],
        params,
    )
    told |= figures | {
        "slices": parted,
        "margin": params.margin,
        "cases": {"asked": len(cases), "lost": lost},
    }
    told["fresh"] |= {"tonight": len(signs), "kin": kin}
    told["attempt"] = {"kin": kin, "gold": True, "fresh": list(zip(images, signs, strict=True))}
    return verdict.between(found, params)


def _rows(parts: dict[str, list[View]]) -> Iterator[tuple[str, slices.Rows]]:
    start = 0
    for name, part in parts.items():
        yield name, np.arange(start, start + len(part))
        start += len(part)


def _tested() -> pl.Expr:
    return pl.col("split").is_in(["holdout", "rolling", "regression"])


def _reign(champion: Path) -> dict[str, Any]:
    summary = json.loads((champion / "summary.json").read_text())
    return {"since": summary["since"], "due": summary["due"]}


def _split(table: pl.DataFrame, name: str) -> pl.DataFrame:
    part = table.filter(pl.col("split") == name)
    if not part.height:
        raise Fixable(
            f"artifacts/assemble: no {name} pictures; label some, or add to params.yaml pull.base or .gold"
        )
    return part


def _summary(said: Told) -> Told:
    gold, found = said.get("gold", {}), {"verdict": said["value"]}
    counts = {key: gold[key] for key in ("n", "won", "lost") if key in gold}
    evidence = {"evidence": round(said["fresh"]["height"], 2)} if said.get("fresh", {}).get("n") else {}
    return found | counts | evidence


def _write_items(views: list[View], answers: Answers, out: Path) -> None:
    table = pl.DataFrame(
        {
            "image": [view.image for view in views],
            "source": [view.source for view in views],
            "label": answers.labels,
            "tags": [list(view.tags) for view in views],
            "challenger": answers.challenger,
        },
        schema_overrides={"tags": pl.List(pl.String)},
    )
    champion = pl.lit(None, pl.Float64) if answers.champion is None else pl.Series(answers.champion)
    samples.write(table.with_columns(champion=champion), out, "items.parquet")


def _items(out: Path) -> pl.DataFrame | None:
    file = out / "items.parquet"
    return samples.read(out, file.name) if file.exists() else None
