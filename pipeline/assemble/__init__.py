"""One training table out of all that has a label, no street on both sides of a split."""

import json
from pathlib import Path

import polars as pl

from pipeline import samples
from pipeline.assemble import card, frozen, leaks, mixing, proof, pseudo, review, splits
from pipeline.kin import families, search
from pipeline.params import Assemble, Backbone, Fresh, Kin, People, Quality


def run(
    params: Assemble,
    kin: Kin,
    quality: Quality,
    fresh: Fresh,
    people: People,
    backbone: Backbone,
    pull: Path,
    mine: Path,
    synthesize: Path,
    out: Path,
) -> None:
    pulled, cases = samples.read(pull), samples.read(mine)
    predictions = samples.read(pull, "predictions.parquet")
    whole = gathered(params, fresh, pulled, predictions, cases, synthesize)
    gone = frozen.keep(whole)
    pairs = search.pairs(whole, kin, backbone)
    whole = splits.divided(families.merged(whole, pairs), params.dev, fresh)
    table = splits.without_tests_kin(whole)
    leaks.refuse(table, pairs)
    left_out = whole.join(table, on="image", how="anti")
    table, findings = proof.proven(table, params.proof, params.synthetic_weight, backbone)
    table = mixing.mixed(table, params.mix)
    samples.write(table, out)
    samples.keep(pairs, out / "pairs.parquet")
    proof.write(findings, out / "proof.json")
    found = review.looked_at(pulled, predictions, table, quality, backbone)
    review.write(found, review.Night(pulled, cases, table, left_out, pairs, findings, gone), quality, out)
    card.write(table, left_out, pairs, found, kin, params, out)
    review.show(found, table, people, quality)
    (out / "summary.json").write_text(json.dumps(_summary(table, findings, found, gone)))


def gathered(
    params: Assemble,
    fresh: Fresh,
    pulled: pl.DataFrame,
    predictions: pl.DataFrame,
    cases: pl.DataFrame,
    synthesize: Path,
) -> pl.DataFrame:
    """All that may teach or judge, each with its kind and its weight."""
    reasons = cases.select("image", "reason", "probability")
    real = pulled.filter(pl.col("label").is_not_null()).join(reasons, on="image", how="left")
    painted = samples.read(synthesize)
    table = pl.concat([samples.conform(part, samples.ASSEMBLED) for part in (real, painted)])
    table = table.with_columns(kind=mixing.kind())
    agreed = pseudo.agreed(pulled, predictions, params.pseudo, fresh)
    unseen = samples.conform(agreed.with_columns(kind=pl.lit("pseudo")), samples.ASSEMBLED)
    return mixing.weighted(pl.concat([table, unseen]), params)


def _summary(
    table: pl.DataFrame, findings: list[proof.Finding], found: review.Found, gone: int
) -> dict[str, int | str]:
    told: dict[str, int | str] = {**splits.counts(table), "painted": int(table["parent"].count())}
    extra = {
        "pseudo": table.filter(kind="pseudo").height,
        "gold missing": gone,
        "suspect labels": found.suspects.height,
        "faults": found.faults.height,
    }
    told |= {name: count for name, count in extra.items() if count}
    return told | {f"{one.painter} left out": one.left_out for one in findings if one.left_out}
