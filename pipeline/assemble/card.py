"""What a training table is made of, for those who have to answer for it."""

import hashlib
import json
from pathlib import Path
from typing import Any

import polars as pl

from pipeline.assemble.review import Found
from pipeline.assemble.splits import TESTS
from pipeline.params import Assemble, Kin

SPLITS = ("train", "dev", *TESTS)


def write(
    table: pl.DataFrame,
    left_out: pl.DataFrame,
    pairs: pl.DataFrame,
    found: Found,
    kin: Kin,
    params: Assemble,
    out: Path,
) -> None:
    """`manifest.json` names exactly what the table holds, `card.md` says it in words."""
    told = manifest(table, left_out, pairs, found, kin, params)
    (out / "manifest.json").write_text(json.dumps(told, indent=1) + "\n")
    (out / "card.md").write_text("\n".join(_card(told)) + "\n")


def manifest(
    table: pl.DataFrame, left_out: pl.DataFrame, pairs: pl.DataFrame, found: Found, kin: Kin, params: Assemble
) -> dict[str, Any]:
    said = table["labelled_at"]
    return {
        "table": "samples.parquet",
        "digest": digest(table),
        "labels_until": str(said.max()) if said.count() else None,
        "splits": {name: _split(table.filter(split=name)) for name in SPLITS},
        "kinds": _counts(table, "kind"),
        "weights": _weights(table.filter(split="train")),
        "sources": _counts(table, "source"),
        "labelers": _counts(table, "labeler"),
        "families": table["family"].n_unique(),
        "kin": {"pairs": pairs.height, "left_out": left_out.height, **kin.model_dump()},
        "suspects": found.suspects.height,
        "faults": found.faults.height,
        "shifts": [shift.figures() for shift in found.shifts],
        "mix": params.mix.model_dump(),
        "pseudo": params.pseudo.model_dump(mode="json"),
    }


def digest(rows: pl.DataFrame) -> str:
    """Equal for equal pictures, labels, splits and weights, in whatever order they stand."""
    columns = ("image", "label", "split", "weight")
    lines = ["\t".join(map(str, row)) for row in rows.select(columns).sort("image").iter_rows()]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _split(rows: pl.DataFrame) -> dict[str, Any]:
    labels = dict(rows.group_by("label").len().iter_rows())
    told = {"pictures": rows.height, "clear": labels.get(0, 0), "roadwork": labels.get(1, 0)}
    return {**told, "families": rows["family"].n_unique(), "digest": digest(rows)}


def _counts(table: pl.DataFrame, key: str) -> dict[str, int]:
    return {str(name): count for name, count in table.group_by(key).len().sort(key).iter_rows()}


def _weights(train: pl.DataFrame) -> dict[str, float]:
    total = train.group_by("kind").agg(pl.col("weight").sum()).sort("kind")
    return {kind: round(weight, 3) for kind, weight in total.iter_rows()}


def _card(told: dict[str, Any]) -> list[str]:
    kin, kinds = told["kin"], told["kinds"]
    lines = [
        "# The training table",
        "",
        f"Digest `{told['digest'][:16]}`; labels up to {told['labels_until'] or 'the beginning'}.",
        "",
        "| split | pictures | clear | roadwork | families | digest |",
        "|---|---:|---:|---:|---:|---|",
    ]
    lines += [
        f"| {name} | {one['pictures']:,} | {one['clear']:,} | {one['roadwork']:,} | {one['families']:,} "
        f"| `{one['digest'][:12]}` |"
        for name, one in told["splits"].items()
    ]
    lines += [
        "",
        "* Gold (`holdout`), young traffic set aside (`rolling`) and incidents (`regression`) judge and are"
        " never taught.",
        f"* {kin['pairs']:,} pairs show one street (likeness {kin['likeness']} and above) and are one family;"
        f" {kin['left_out']:,} pictures were left out because a test shows their street.",
        f"* Kinds: {_words(kinds)}. Weight in train: {_words(told['weights'])}.",
        f"* From: {_words(told['sources'])}. Labelled by: {_words(told['labelers'])}.",
        f"* {told['suspects']:,} labels are in doubt and {told['faults']:,} pictures have a fault: see"
        " `report.html`.",
    ]
    if kinds.get("pseudo"):
        sure = told["pseudo"]["precision"]
        lines.append(
            "* Pseudo-labels were given by nobody: sources agree, each above the confidence at which people's"
            f" labels proved it right {sure:.0%} of the time. They only train."
        )
    return lines


def _words(counts: dict[str, Any]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.items()) or "none"
