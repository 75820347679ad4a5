"""Labels that are probably wrong: confident learning on answers of models that never saw the picture.

A picture is suspect when the model is at least as sure of the other label as it is on average of pictures
that bear that label (Northcutt, Jiang and Chuang, 2021): so a class that is hard, or a model that is shy,
raises no alarm by itself.
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import linear, samples
from pipeline.params import Suspects

DECAY = 0.1
ENOUGH = 20  # pictures of either label under which nothing can be said
WIDTH = 192  # directions that are kept: what a linear answer needs, at a seventh of the time
LEARNED = 10_000  # pictures that a model learns from; more teach it nothing, and cost
SEED = 72

Numbers = NDArray[np.float64]
Vectors = NDArray[np.float32]

FOUND = {"image": pl.String, "label": pl.Int8, "p": pl.Float64, "doubt": pl.Float64}


def suspects(table: pl.DataFrame, vectors: Vectors, params: Suspects) -> pl.DataFrame:
    """Of these labelled rows, most doubtful first: image, label, what the others say (p), and the doubt,
    which is by how much they are surer of the other label than they have to be."""
    labels = table["label"].to_numpy()
    if min((labels == 0).sum(), (labels == 1).sum()) < ENOUGH:
        return pl.DataFrame(schema=FOUND)
    p = unseen(vectors, labels, table["family"], params)
    doubt = np.round(doubts(p, labels), 4)
    found = table.select("image", "label", p=pl.Series(np.round(p, 4)), doubt=pl.Series(doubt))
    found = found.cast(FOUND).filter(pl.col("doubt") >= 0)  # type: ignore[arg-type]
    return found.sort("doubt", "image", descending=[True, False])


def doubts(p: Numbers, labels: NDArray[np.integer]) -> Numbers:
    """At least 0 where the other label is as sure as it usually is where it is given."""
    usual = np.array([np.mean(1 - p[labels == 0]), np.mean(p[labels == 1])])
    other = np.where(labels == 1, 1 - p, p)
    # Under one half the model itself prefers the label that is given.
    found: Numbers = other - np.maximum(usual[1 - labels], 0.5)
    return found


def unseen(vectors: Vectors, labels: NDArray[np.integer], families: pl.Series, params: Suspects) -> Numbers:
    """The mean answer of models that learned without the picture's family, the families dealt anew each
    round."""
    thin = _thinned(vectors)
    rounds = [_dealt(thin, labels, families, params.folds, turn) for turn in range(params.rounds)]
    return np.asarray(np.mean(rounds, axis=0), np.float64)


def _thinned(vectors: Vectors) -> Vectors:
    """The directions in which the pictures differ most, found on a part of them by random projection."""
    rng = np.random.default_rng(SEED)
    if vectors.shape[1] <= WIDTH:
        return vectors
    some = vectors[np.sort(rng.permutation(len(vectors))[:LEARNED])]
    middle = some.mean(axis=0)
    spread = some - middle
    drawn, _ = np.linalg.qr(spread @ rng.standard_normal((spread.shape[1], WIDTH), np.float32))
    _, _, directions = np.linalg.svd(drawn.T @ spread, full_matrices=False)
    thin: Vectors = (vectors - middle) @ directions.T
    return thin


def _dealt(
    vectors: Vectors, labels: NDArray[np.integer], families: pl.Series, folds: int, turn: int
) -> Numbers:
    names = [int(samples.share(family, f"suspects/{turn}") * folds) for family in families]
    fold, p = np.array(names), np.full(len(labels), 0.5)
    rng = np.random.default_rng(SEED)
    for held in range(folds):
        out, seen = fold == held, np.flatnonzero(fold != held)
        seen = seen if len(seen) <= LEARNED else np.sort(rng.choice(seen, LEARNED, replace=False))
        if out.any() and len(set(labels[seen])) == 2:
            model = linear.fit(vectors[seen], labels[seen], np.ones(len(seen)), DECAY)
            p[out] = model.p(vectors[out])
    return p
