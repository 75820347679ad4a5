"""The blind draw: the one part of the cases that stands for all traffic."""

import numpy as np
import polars as pl

from pipeline import samples


def parted(table: pl.DataFrame, share: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """What is set aside for the gate, and the rest.

    Of the first nothing is picked by what the champion said: where it is unsure, any other looks better.
    """
    aside = samples.aside(table, share)
    return table.filter(aside), table.filter(~aside)


def blindly(aside: pl.DataFrame, rest: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Drawn from what is set aside as long as that lasts: labels for the gate."""
    first = drawn(aside, count, seed)
    return pl.concat([first, drawn(rest, count - first.height, seed)])


def drawn(waiting: pl.DataFrame, count: int, seed: int) -> pl.DataFrame:
    """Every row with the same chance, whatever order they stand in."""
    count = min(count, waiting.height)
    chance = count / waiting.height if waiting.height else 0.0
    by_name = waiting.sort("image")
    chosen = np.random.default_rng(seed).choice(by_name.height, count, replace=False)
    kept: pl.DataFrame = by_name[np.sort(chosen).tolist()]
    return kept.with_columns(reason=pl.lit("random"), probability=pl.lit(chance))
