"""What second opinions are worth, on the labelled pictures that they were asked about."""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

Numbers = NDArray[np.float64]

LEAST = 30  # labelled pictures before a weight is told
Z = 1.96


@dataclass(frozen=True)
class Weight:
    """The blend that would have come nearest to the labels, and how far one may trust that (95 %)."""

    best: float
    low: float
    high: float


@dataclass(frozen=True)
class Opinion:
    by: str
    labelled: int
    alone: int  # times that the bundle would have been right alone
    given: int  # that the answer was, which weighs both
    second: int  # that the opinion was
    blend: float  # the weight that it had
    weight: Weight | None

    @property
    def is_misweighed(self) -> bool:
        return self.weight is not None and not self.weight.low <= self.blend <= self.weight.high


def opinions(pulled: pl.DataFrame, predictions: pl.DataFrame) -> tuple[Opinion, ...]:
    """One for each who was asked; only answers from before the label, which no model can have learned."""
    labels = pulled.filter(pl.col("label").is_not_null()).select("image", "label", "labelled_at")
    heard = predictions.drop_nulls("second").join(labels, on="image")
    heard = heard.filter(pl.col("at") < pl.col("labelled_at")).sort("at", "id")
    latest = heard.unique(("by", "image"), keep="last", maintain_order=True)
    parts = latest.partition_by("by", as_dict=True)
    return tuple(_opinion(str(by), parts[(by,)]) for (by,) in sorted(parts))


def _opinion(by: str, heard: pl.DataFrame) -> Opinion:
    label, first, second, p = (heard[key].to_numpy() for key in ("label", "first", "second", "p"))
    apart = first != second
    blend = float(np.median((p - first)[apart] / (second - first)[apart])) if apart.any() else 0.0
    alone, given, right = (int(((said > 0.5) == label).sum()) for said in (first, p, second))
    return Opinion(
        by,
        heard.height,
        alone,
        given,
        right,
        blend,
        weight=_weight(label, first, second) if heard.height >= LEAST and apart.any() else None,
    )


def _weight(label: Numbers, first: Numbers, second: Numbers) -> Weight:
    """Least squares of what the first answer lacks by what the second would add."""
    lacks, adds = label - first, second - first
    whole = float((adds**2).sum())
    best = float((adds * lacks).sum()) / whole
    spread = Z * float(np.sqrt(((adds * (lacks - best * adds)) ** 2).sum())) / whole
    return Weight(*(min(max(one, 0.0), 1.0) for one in (best, best - spread, best + spread)))
