"""One training table out of all that has a label, no street on both sides of a split."""

import json
from pathlib import Path

import polars as pl

from pipeline import samples
from pipeline.assemble import frozen, leaks, mixing, proof, pseudo, splits
from pipeline.kin import families, search
from pipeline.params import Assemble, Backbone, Fresh, Kin


def run(
    params: Assemble,
    kin: Kin,
    fresh: Fresh,
    backbone: Backbone,
    pull: Path,
    mine: Path,
    synthesize: Path,
    out: Path,
) -> None:
    table = gathered(params, fresh, pull, mine, synthesize)
    gone = frozen.keep(table)
    pairs = search.pairs(table, kin, backbone)
    table = divided(table, pairs, params, fresh)
    leaks.refuse(table, pairs)
    table, findings = proof.proven(table, params.proof, params.synthetic_weight, backbone)
    table = mixing.mixed(table, params.mix)
    samples.write(table, out)
    samples.keep(pairs, out / "pairs.parquet")
    proof.write(findings, out / "proof.json")
    (out / "summary.json").write_text(json.dumps(_summary(table, findings, gone)))


def gathered(params: Assemble, fresh: Fresh, pull: Path, mine: Path, synthesize: Path) -> pl.DataFrame:
    """All that may teach or judge, each with its kind and its weight."""
    reasons = samples.read(mine).select("image", "reason", "probability")
    pulled = samples.read(pull)
    real = pulled.filter(pl.col("label").is_not_null()).join(reasons, on="image", how="left")
    painted = samples.read(synthesize)
    table = pl.concat([samples.conform(part, samples.ASSEMBLED) for part in (real, painted)])
    table = table.with_columns(kind=mixing.kind())
    agreed = pseudo.agreed(pulled, samples.read(pull, "predictions.parquet"), params.pseudo, fresh)
    unseen = samples.conform(agreed.with_columns(kind=pl.lit("pseudo")), samples.ASSEMBLED)
    return mixing.weighted(pl.concat([table, unseen]), params)


def divided(table: pl.DataFrame, pairs: pl.DataFrame, params: Assemble, fresh: Fresh) -> pl.DataFrame:
    """Every row on its side; what is kin of a test is gone."""
    return splits.without_tests_kin(splits.divided(families.merged(table, pairs), params.dev, fresh))


def _summary(table: pl.DataFrame, findings: list[proof.Finding], gone: int) -> dict[str, int | str]:
    found: dict[str, int | str] = {**splits.counts(table), "painted": int(table["parent"].count())}
    if pseudo_rows := table.filter(kind="pseudo").height:
        found["pseudo"] = pseudo_rows
    if gone:
        found["gold missing"] = gone
    return found | {f"{one.painter} left out": one.left_out for one in findings if one.left_out}
