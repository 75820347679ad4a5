"""What is known of the pictures that wait, and the score of each by every criterion that has a quota."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import features, linear, scores
from pipeline.mine import criteria, deficit
from pipeline.params import Backbone, Criterion, Mine

Numbers = NDArray[np.float64]
Vectors = NDArray[np.float32]

PROFILE = "2026-01"  # the one challenge profile that throws dice
DECAY = 0.1  # of the quick head whose answers to several views are compared


@dataclass(frozen=True)
class Evidence:
    waiting: pl.DataFrame  # the candidates
    known: pl.DataFrame  # labelled, and free to learn from
    vectors: Vectors
    labelled: Vectors
    seen: Vectors  # of what is no candidate, whether labelled or not
    voices: pl.DataFrame  # image, score: how far apart its answers are
    slices: pl.DataFrame


def gathered(
    rest: pl.DataFrame,
    learned: pl.DataFrame,
    voices: pl.DataFrame,
    slices: pl.DataFrame,
    params: Mine,
    backbone: Backbone,
) -> Evidence:
    """`learned` is all that may be looked at, labelled or not; the candidates are drawn from `rest`."""
    known = _some(learned.filter(pl.col("label").is_not_null()), params.known)
    waiting = shortlist(rest, voices, params.pool if params.random < 1 else 0)
    others = learned.filter(pl.col("label").is_null()).join(waiting, on="image", how="anti")
    old = _some(others, params.known if waiting.height else 0)
    vectors, labelled, seen = _vectors((waiting, known, old), backbone)
    return Evidence(waiting, known, vectors, labelled, np.concatenate([labelled, seen]), voices, slices)


def _some(table: pl.DataFrame, count: int) -> pl.DataFrame:
    """Always the same ones, so that a vector is computed once: names are hashes, so this is a blind draw."""
    return table.sort("image").head(count)


def _vectors(tables: Sequence[pl.DataFrame], backbone: Backbone) -> list[Vectors]:
    """Of one width, even where there is nothing to embed."""
    parts = [features.embed(table, 1, backbone)[0] for table in tables]
    width = max(part.shape[1] for part in parts)
    return [part.reshape(len(part), width) for part in parts]


def weighed(evidence: Evidence, params: Mine, backbone: Backbone) -> dict[Criterion, Numbers]:
    """A number per candidate for each criterion that has a quota; the others cost nothing."""
    p = scores.both(evidence.waiting["p"].to_numpy())
    margin = scores.margin(p)
    told: Mapping[Criterion, Callable[[], Numbers]] = {
        "margin": lambda: margin,
        "entropy": lambda: criteria.entropy(p),
        "disagreement": lambda: _disagreement(evidence),
        "neighbours": lambda: criteria.contradiction(p, _vote(evidence)),
        "instability": lambda: _instability(evidence, margin, params, backbone),
        "rarity": lambda: criteria.rarity(evidence.vectors),
        "novelty": lambda: criteria.novelty(evidence.vectors, evidence.seen),
        "slice": lambda: margin * _need(evidence),
        "recent": lambda: margin * criteria.recency(evidence.waiting["at"], params.half_life_days),
    }
    return {name: told[name]() for name, share in params.quotas.items() if share}


def shortlist(rest: pl.DataFrame, voices: pl.DataFrame, count: int) -> pl.DataFrame:
    """The rows whose vectors are looked at: those that lead in what the tables alone can tell.

    Sorting aside, what a night costs then depends on what it asks for, not on all that ever waited.
    """
    if rest.height <= count:
        return rest.sort("image")
    apart = rest.join(voices.rename({"score": "apart"}), on="image", how="left")
    apart = apart.with_columns(doubt=-(pl.col("p") - 0.5).abs())
    leads = (pl.col(key).rank("ordinal", descending=True) for key in ("doubt", "apart", "at"))
    place = pl.min_horizontal(*leads)
    kept = apart.sort("image").with_columns(place=place).sort("place", "image").head(count)
    return kept.drop("apart", "place", "doubt").sort("image")


def _disagreement(evidence: Evidence) -> Numbers:
    apart = evidence.waiting.select("image").join(
        evidence.voices, on="image", how="left", maintain_order="left"
    )
    return apart["score"].fill_null(float("nan")).to_numpy()


def _vote(evidence: Evidence) -> Numbers:
    return criteria.vote(evidence.vectors, evidence.labelled, evidence.known["label"].to_numpy(), 2)


def _need(evidence: Evidence) -> Numbers:
    need = deficit.deficits(evidence.slices)
    own, theirs = (deficit.deficit(table["tags"], need) for table in (evidence.waiting, evidence.known))
    tagged = ~np.isnan(theirs)
    return deficit.inherited(own, evidence.vectors, evidence.labelled[tagged], theirs[tagged], criteria.K)


def _instability(evidence: Evidence, margin: Numbers, params: Mine, backbone: Backbone) -> Numbers:
    """Asked only of the most doubtful, for each of its views must meet the backbone."""
    labels = evidence.known["label"].to_numpy()
    score = np.full(len(margin), np.nan)
    if len(np.unique(labels)) < 2:
        return score
    places = round(params.cases * params.quotas["instability"] * params.width)
    shaky = np.argsort(-margin, kind="stable")[:places]
    rows = evidence.waiting[shaky.tolist()].with_columns(profile=pl.lit(PROFILE))
    looks, _ = features.embed(rows, params.views, backbone)
    head = linear.fit(evidence.labelled, labels, np.ones(len(labels)), DECAY)
    score[shaky] = criteria.instability(head.p(looks).reshape(len(shaky), params.views))
    return score
