"""How much each kind of picture has to say."""

import polars as pl

from pipeline.params import Assemble, Mix

# real: labelled, as it came; hard: labelled, and kept by mine for it; synthetic: painted; pseudo: labelled
# by nobody.
KINDS = ("real", "hard", "synthetic", "pseudo")


def kind() -> pl.Expr:
    """Of a row that is not pseudo."""
    return (
        pl.when(pl.col("parent").is_not_null())
        .then(pl.lit("synthetic"))
        .when(pl.col("reason").is_not_null() & (pl.col("reason") != "random"))
        .then(pl.lit("hard"))
        .otherwise(pl.lit("real"))
    )


def weighted(table: pl.DataFrame, params: Assemble) -> pl.DataFrame:
    weight = (
        pl.when(pl.col("kind") == "synthetic")
        .then(params.synthetic_weight)
        .when(pl.col("kind") == "pseudo")
        .then(params.pseudo.weight)
        .when(pl.col("reason") == "mistake")
        .then(params.mistake_weight)
        .otherwise(1.0)
    )
    return table.with_columns(weight=weight)


def mixed(table: pl.DataFrame, mix: Mix) -> pl.DataFrame:
    """No kind outweighs its share of what is real in train: its rows then weigh less, and none is dropped."""
    train = table.filter(pl.col("split") == "train")
    held = dict(train.group_by("kind").agg(pl.col("weight").sum()).iter_rows())
    real = held.get("real", 0.0)
    for name, most in (("hard", mix.hard), ("synthetic", mix.synthetic), ("pseudo", mix.pseudo)):
        if most is not None and held.get(name, 0.0) > most * real:
            part = most * real / held[name]
            ours = (pl.col("kind") == name) & (pl.col("split") == "train")
            weight = pl.when(ours).then(pl.col("weight") * part).otherwise("weight")
            table = table.with_columns(weight=weight)
    return table
