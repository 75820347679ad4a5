"""What a campaign paid, on the whole and per slice, with intervals that draw whole pictures."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import challenge
from pipeline.replay.pay import expected

Numbers = NDArray[np.float64]

ROUNDS = 1000
WHOLE = "all"
# Under this many challenges a slice says too little to be shown.
FEWEST = 10


@dataclass(frozen=True)
class Score:
    """`reward` is what an endless stream of such challenges, half of them roadwork, would pay on average.

    `borrowed`: the slice holds one label only, so the other half of its stream is that of the whole campaign.
    """

    slice: str
    n: int
    accuracy: float
    mcc: float | None
    reward: float
    low: float
    high: float
    borrowed: bool

    def to_json(self) -> dict[str, Any]:
        told = {key: value for key, value in asdict(self).items() if key != "slice"}
        return {key: round(value, 4) if isinstance(value, float) else value for key, value in told.items()}


@dataclass(frozen=True)
class Tally:
    """Right answers and answers per picture and label: [pictures, 2]."""

    right: Numbers
    asked: Numbers

    def rates(self, weights: Numbers) -> Numbers:
        """How many of each label are answered rightly under each weighting of the pictures: [rounds, 2]."""
        asked = weights @ self.asked
        rates: Numbers = np.divide(
            weights @ self.right, asked, out=np.full_like(asked, np.nan), where=asked > 0
        )
        return rates


def by_slice(table: pl.DataFrame, seed: int) -> list[Score]:
    weights = resampled(table, seed)
    whole = rates(table, weights)
    # Of very few pictures a redrawing may hold none of one label.
    whole = np.where(np.isnan(whole), whole[0], whole)
    return [_score(name, part, rates(part, weights, table), whole) for name, part in slices(table)]


def rates(part: pl.DataFrame, weights: Numbers, whole: pl.DataFrame | None = None) -> Numbers:
    """Row 0 is of the pictures as they are, the others of redrawn ones; columns: clear, roadwork."""
    places = (part if whole is None else whole)["picture"].unique(maintain_order=True).to_list()
    at = {picture: place for place, picture in enumerate(places)}
    rows, labels = np.array([at[picture] for picture in part["picture"]], int), part["label"].to_numpy()
    asked, right = np.zeros((2, len(places), 2))
    np.add.at(asked, (rows, labels), 1)
    np.add.at(right, (rows, labels), answered_rightly(part))
    return Tally(right, asked).rates(weights)


def answered_rightly(table: pl.DataFrame) -> NDArray[np.bool_]:
    """An answer outside [0, 1] is never right."""
    p = table["p"].to_numpy()
    right: NDArray[np.bool_] = ((p > 0.5) == (table["label"].to_numpy() > 0)) & (p >= 0) & (p <= 1)
    return right


def resampled(table: pl.DataFrame, seed: int) -> Numbers:
    """Weights of the pictures: once each of them, then ROUNDS redrawings."""
    count = table["picture"].n_unique()
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), ROUNDS)
    return np.concatenate([np.ones((1, count)), drawn]).astype(np.float64)


def slices(table: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    """The whole, then those of the sources, levels and tags that hold enough."""
    yield WHOLE, table
    for source in sorted(table["source"].unique()):
        yield from _enough(f"source {source}", table.filter(source=source))
    for level in sorted(table["level"].drop_nulls().unique()):
        yield from _enough(f"level {level}", table.filter(level=level))
    for tag in sorted(table["tags"].explode().drop_nulls().unique()):
        yield from _enough(tag, table.filter(pl.col("tags").list.contains(tag)))


def _enough(name: str, part: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    if part.height >= FEWEST:
        yield name, part


def _score(name: str, part: pl.DataFrame, own: Numbers, whole: Numbers) -> Score:
    filled = np.where(np.isnan(own), whole, own)
    pay = expected(filled)
    low, high = np.quantile(pay[1:], (0.025, 0.975))
    return Score(
        slice=name,
        n=part.height,
        accuracy=float(answered_rightly(part).mean()),
        mcc=_mcc(part),
        reward=float(pay[0]),
        low=float(low),
        high=float(high),
        borrowed=part["label"].n_unique() < 2,
    )


def _mcc(part: pl.DataFrame) -> float | None:
    true, said = part["label"].to_numpy() > 0, part["p"].to_numpy() > 0.5
    if true.all() or not true.any():
        return None
    return float(np.corrcoef(true, said)[0, 1]) if said.any() and not said.all() else 0.0


def ceiling(table: pl.DataFrame) -> float | None:
    """What one would earn who is wrong only where the crop cut the roadwork out; None if nobody knows."""
    seen = table.filter(label=1)["seen"].drop_nulls()
    if not len(seen):
        return None
    return round(float(expected(np.array([[1.0, float(seen.mean())]]))[0]), 4)  # type: ignore[arg-type]


def ema(table: pl.DataFrame) -> float:
    """Where the validator's moving average stood at the campaign's end."""
    earned = challenge.reward(table["label"], table["p"])
    return round(float(challenge.ema(earned)[-1]), 4) if len(earned) else 0.0
