"""One reason each for a person to look at a picture: a number per row, larger where there is more of it.

Every score lies in [0, 1]; NaN says that nothing is known of the row. The functions neither sort nor choose.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import neighbours, scores

Numbers = NDArray[np.float64]
Vectors = NDArray[np.floating]
Rows = NDArray[np.int64]

K = 10  # neighbours asked: enough to outvote a wrong label, few enough to stay near
LOUD = 8  # .9 alike speaks half as loud as the same


def entropy(p: Numbers) -> Numbers:
    """In parts of the largest there can be. With two classes it ranks as the margin does."""
    found: Numbers = scores.entropy(p) / np.log(p.shape[1])
    return found


def disagreement(predictions: pl.DataFrame) -> pl.DataFrame:
    """Of each image how far apart its voices are (image, score).

    A voice is a role of the journal, the champion's or a shadow's, or a second opinion; each says its latest.
    An image that one voice alone has answered is not in the table.
    """
    role = pl.col("role").replace({"canary": "serve"})
    alone = predictions.with_columns(voice=role, p=pl.coalesce("first", "p"))
    seconds = predictions.with_columns(voice=pl.lit("second"), p="second").drop_nulls("p")
    latest = pl.concat([alone, seconds]).sort("at", "id").unique(("image", "voice"), keep="last")
    apart = (pl.col("p").max() - pl.col("p").min()).alias("score")
    told = latest.group_by("image").agg(apart, voices=pl.len())
    return told.filter(pl.col("voices") > 1).select("image", "score").sort("image")


def instability(p: Numbers) -> Numbers:
    """How often views of one picture fall on either side of the fence, of probabilities [N, views]."""
    share = (p > 0.5).mean(axis=1)
    found: Numbers = 4 * share * (1 - share)
    return found


def vote(
    vectors: Vectors, labelled: Vectors, labels: NDArray[np.integer], classes: int, itself: Rows | None = None
) -> Numbers:
    """Of each the shares [N, C] of the labels of the pictures most like it, the nearer the louder.

    `itself` is the place of each row among the labelled ones: nobody votes on oneself.
    """
    found, similarity = neighbours.nearest(vectors, labelled, K + (itself is not None))
    if not found.shape[1]:
        return np.full((len(vectors), classes), np.nan)
    weight = np.clip(similarity, 1e-6, 1).astype(np.float64) ** LOUD
    if itself is not None:
        weight[found == itself[:, None]] = 1e-12
    said: Numbers = (np.eye(classes)[labels[found]] * weight[:, :, None]).sum(axis=1)
    said /= weight.sum(axis=1, keepdims=True)
    return said


def contradiction(p: Numbers, vote: Numbers) -> Numbers:
    """How far the answer is from what the neighbours' labels say."""
    found: Numbers = np.abs(p - vote).sum(axis=1) / 2
    return found


def mistakenness(labels: NDArray[np.integer], p: Numbers, vote: Numbers) -> Numbers:
    """How sure the answer and the neighbours both are that a label is wrong: the doubt of the milder one."""
    own = np.arange(len(labels)), labels
    doubt: Numbers = 1 - np.maximum(p[own], vote[own])
    return doubt


def rarity(vectors: Vectors) -> Numbers:
    """How far a picture is from those it is most like among those that wait with it."""
    _, similarity = neighbours.others(vectors, len(scores.NEAREST))
    return np.clip(scores.uniqueness(similarity), 0, 1)


def novelty(vectors: Vectors, seen: Vectors) -> Numbers:
    """How far a picture is from everything that was seen before."""
    return np.clip(scores.novelty(vectors, seen, 1), 0, 1)


def recency(at: pl.Series, half_life_days: float) -> Numbers:
    """One for the newest row, half of it for each half-life before: by the data's own clock."""
    age = pl.col("at").max() - pl.col("at")
    days = at.to_frame("at").select(age.dt.total_seconds().cast(pl.Float64) / 86_400)["at"].to_numpy()
    found: Numbers = 0.5 ** (days / half_life_days)
    return found
