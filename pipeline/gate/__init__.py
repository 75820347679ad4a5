"""Lets the challenger compete with the champion; the verdict names its evidence."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from pipeline import challenge, samples
from pipeline.gate import contest, report, statistics, verdict
from pipeline.gate.contest import Answers
from pipeline.gate.verdict import Ruling
from pipeline.params import Backbone, Gate


def run(params: Gate, backbone: Backbone, export: Path, champion: Path, assemble: Path, out: Path) -> None:
    table = samples.read(assemble).sort("image")
    opponent = _opponent(champion)
    attempt = 1 + int(json.loads((champion / "summary.json").read_text())["other_attempts"])
    parity = contest.parity(_split(table, "train"), export, backbone, params.parity_views)
    ruling = verdict.on_parity(parity, params)
    if not ruling:
        dev = contest.met(_split(table, "dev"), export, opponent, "dev pictures")
        ruling = verdict.on_screen(dev, params)
    scores: dict[str, Any] = {}
    if not ruling:
        gold_table = _split(table, "holdout")
        gold = contest.met(gold_table, export, opponent, "gold pictures")
        ruling = _decided(gold, gold_table, attempt, params)
        scores = _scores(gold, params)
        _write_items(gold_table, gold, out)
    sides = {"challenger": bundle.load(export).id, "champion": _id(opponent)}
    said = {"value": ruling.value, "reasons": ruling.reasons, **sides, "scores": scores}
    said |= {"parity": asdict(parity), "evidence": ruling.evidence}
    (out / "verdict.json").write_text(json.dumps(said, indent=2))
    counts = {key: ruling.evidence[key] for key in ("n", "won", "lost") if key in ruling.evidence}
    (out / "summary.json").write_text(json.dumps({"verdict": ruling.value} | counts))
    (out / "report.html").write_text(report.page(said, _items(out)))


def _decided(gold: Answers, table: pl.DataFrame, attempt: int, params: Gate) -> Ruling:
    if gold.champion is None:
        return verdict.first(gold, params)
    return verdict.between(gold, slices(table), attempt, params)


def slices(table: pl.DataFrame) -> dict[str, np.ndarray]:
    """Rows of each tag, and the rows that have none."""
    tags = table["tags"].to_list()
    names = sorted({tag for row in tags for tag in row})
    found = {name: np.flatnonzero([name in row for row in tags]) for name in names}
    plain = np.flatnonzero([not row for row in tags])
    return found | ({"plain": plain} if len(plain) else {})


def _scores(gold: Answers, params: Gate) -> dict[str, Any]:
    sides = {"challenger": gold.challenger, "champion": gold.champion}
    return {name: _score(gold, p) for name, p in sides.items() if p is not None}


def _score(gold: Answers, p: statistics.Scores) -> dict[str, float]:
    return {
        "accuracy": statistics.accuracy(gold.labels, p),
        "mcc": statistics.mcc(gold.labels, p),
        "reward": challenge.expected_reward(gold.labels, p),
    }


def _split(table: pl.DataFrame, name: str) -> pl.DataFrame:
    part = table.filter(pl.col("split") == name)
    if not part.height:
        raise Fixable(
            f"artifacts/assemble: no {name} pictures; label some, or add to params.yaml pull.base or .gold"
        )
    return part


def _opponent(champion: Path) -> Path | None:
    folder = champion / "bundle"
    return folder if folder.is_dir() else None


def _id(folder: Path | None) -> str | None:
    return bundle.load(folder).id if folder else None


def _write_items(table: pl.DataFrame, gold: Answers, out: Path) -> None:
    items = table.select("image", "label", "tags").with_columns(challenger=pl.Series(gold.challenger))
    champion = pl.lit(None, pl.Float64) if gold.champion is None else pl.Series(gold.champion)
    samples.write(items.with_columns(champion=champion), out, "items.parquet")


def _items(out: Path) -> pl.DataFrame | None:
    file = out / "items.parquet"
    return samples.read(out, file.name) if file.exists() else None
