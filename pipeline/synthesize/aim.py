"""Where the champion is weakest: conditions are drawn more often the more of their pictures it got wrong."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

# Of each of these a picture has at most one; they are what painters can be told.
AXES: Sequence[tuple[str, ...]] = (
    ("day", "dusk", "night"),
    ("clear", "overcast", "rain", "fog", "snow"),
    ("us", "eu"),
    ("site", "single", "small", "far"),
)
# An error rate is worth believing after about this many pictures; until then it leans to the overall rate.
PRIOR = 10.0


def weakness(slices: pl.DataFrame) -> Mapping[str, float]:
    """Of each tag, how much more often it is got wrong than a picture at large."""
    everything = slices.filter(pl.col("tag").is_null())
    if everything.is_empty() or not everything["wrong"][0]:
        return {}
    overall = everything["wrong"][0] / everything["answered"][0]
    rows = slices.filter(pl.col("tag").is_not_null()).iter_rows()
    return {tag: (wrong + PRIOR * overall) / (answered + PRIOR) / overall for tag, answered, wrong in rows}


def drawn(weak: Mapping[str, float], label: int, seed: int) -> tuple[str, ...]:
    """A tag of each axis, by the weight of its weakness squared: the worst come often, none disappears."""
    rng = np.random.default_rng((seed, 4))
    axes = AXES if label else AXES[:-1]  # without roadwork there is no layout of it
    return tuple(_one(rng, axis, [weak.get(tag, 1.0) ** 2 for tag in axis]) for axis in axes)


def _one(rng: np.random.Generator, of: tuple[str, ...], weights: Sequence[float]) -> str:
    return str(rng.choice(of, p=np.array(weights) / sum(weights)))
