"""Tonight's traffic beside what it is measured by."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import features, samples
from pipeline.params import Backbone, Drift
from pipeline.quality import drift

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Shift:
    """`score` is the stability index of what the champion said; None where the older ones were not asked."""

    beside: str
    told: drift.Told
    score: float | None
    old_scores: tuple[float, ...]  # shares of deciles of [0, 1], for the eye
    new_scores: tuple[float, ...]
    alarming: bool

    def figures(self) -> dict[str, Any]:
        return {"beside": self.beside, "score": self.score, "alarming": self.alarming} | asdict(self.told)


def shifts(pulled: pl.DataFrame, params: Drift, backbone: Backbone) -> tuple[Shift, ...]:
    """Lately against before, where there is enough of both; a quiet house says nothing."""
    traffic = pulled.filter((pl.col("source") == "challenge") & pl.col("at").is_not_null())
    if not traffic.height:
        return ()
    newest = traffic["at"].max()
    since = newest - timedelta(days=params.recent_days)  # type: ignore[operator]
    until = since - timedelta(days=params.reference_days)
    new = _some(traffic.filter(pl.col("at") > since), params.most)
    old = _some(traffic.filter((pl.col("at") <= since) & (pl.col("at") > until)), params.most)
    if min(new.height, old.height) < params.least:
        return ()
    return (_shift(f"the {params.reference_days} days before", old, new, params, backbone),)


def _some(rows: pl.DataFrame, most: int) -> pl.DataFrame:
    """The same ones whatever else comes, so that the backbone meets few of them."""
    drawn = pl.Series("drawn", [samples.share(image, "drift") for image in rows["image"]])
    return rows.with_columns(drawn).sort("drawn").head(most).drop("drawn").sort("image")


def _shift(beside: str, old: pl.DataFrame, new: pl.DataFrame, params: Drift, backbone: Backbone) -> Shift:
    before, after = (features.embed(side, 1, backbone)[0] for side in (old, new))
    scores = [side["p"].drop_nulls().to_numpy() for side in (old, new)]
    index = drift.stability(*scores) if min(map(len, scores)) else None
    told = drift.told_apart(before, after)
    alarming = told.auc >= params.auc or (index or 0.0) >= params.moved
    return Shift(beside, told, index, _deciles(scores[0]), _deciles(scores[1]), alarming)


def _deciles(p: Numbers) -> tuple[float, ...]:
    counts = np.histogram(p, bins=10, range=(0, 1))[0]
    return tuple(float(share) for share in counts / max(len(p), 1))
