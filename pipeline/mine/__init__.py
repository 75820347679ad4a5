"""Keeps the hard cases: what is worth a label by several criteria, what went wrong, and a blind draw."""

import json
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline import features, samples, scores
from pipeline.mine import asked, criteria, evidence
from pipeline.mine.blind import blindly, parted
from pipeline.mine.evidence import Evidence
from pipeline.mine.judged import mistakes, slices
from pipeline.params import Backbone, Fresh, Mine, People


def run(params: Mine, backbone: Backbone, people: People, fresh: Fresh, pull: Path, out: Path) -> None:
    everything = samples.read(pull)
    answered = everything.filter(pl.col("source") == "challenge")
    judged = answered.filter(pl.col("label").is_not_null())
    waiting = answered.filter(pl.col("label").is_null())
    aside, rest = parted(waiting, fresh.share)
    blind = blindly(aside, rest, round(params.cases * params.random), params.seed)
    rest = rest.join(blind, on="image", how="anti")
    _, learned = parted(everything.filter(pl.col("source") != "gold"), fresh.share)
    voices = criteria.disagreement(samples.read(pull, "predictions.parquet"))
    known = evidence.gathered(rest, learned, voices, slices(judged), params, backbone)
    hard = asked.cases(known, params, backbone, params.cases - blind.height)
    _, teaching = parted(judged, fresh.share)
    wrong = mistakes(teaching, params.mistakes)
    wrong = doubted(wrong, features.embed(wrong, 1, backbone)[0], known, params.doubt)
    cases = pl.concat([samples.conform(part, samples.MINED) for part in (hard, blind, wrong)])
    samples.write(cases, out)
    samples.keep(slices(judged), out / "slices.parquet")
    summary = {"waiting": waiting.height} | dict(cases.group_by("reason").len().sort("reason").iter_rows())
    (out / "summary.json").write_text(json.dumps(summary))
    _show(cases, people)


def doubted(wrong: pl.DataFrame, vectors: NDArray[np.float32], known: Evidence, doubt: float) -> pl.DataFrame:
    """Mistakes whose neighbours side with the answer: rather the label is wrong, and a person looks again."""
    if wrong.is_empty():
        return wrong
    places = {image: row for row, image in enumerate(known.known["image"])}
    itself = np.array([places.get(image, -1) for image in wrong["image"]])
    label, p = wrong["label"].to_numpy(), scores.both(wrong["p"].to_numpy())
    vote = criteria.vote(vectors, known.labelled, known.known["label"].to_numpy(), 2, itself)
    denied = pl.Series(criteria.mistakenness(label, p, vote) > doubt)
    return wrong.with_columns(reason=pl.when(denied).then(pl.lit("doubtful")).otherwise("reason"))


def _show(cases: pl.DataFrame, people: People) -> None:
    if people.dataset is None:
        return
    from pipeline import fiftyone_view

    with fiftyone_view.opened(people.dataset) as view:
        view.show_cases(samples.asked(cases))
