"""One dataset: what we show in it, and what people say there."""

from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipeline import samples
from pipeline.fiftyone_view import documents
from pipeline.marks import CASE, OURS
from pipeline.samples import CLASSES

APP = "fiftyone"  # who labelled, when the App does not say
BATCH = 1000


class View:
    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset

    def labels(self) -> pl.DataFrame:
        """What people said, with who and when."""
        self._sign()
        columns = self._values(
            "image", *(f"ground_truth.{key}" for key in ("label", "labeler", "labelled_at"))
        )
        said = [
            {
                "image": image,
                "label": CLASSES.index(label),
                "labeler": labeler,
                "labelled_at": documents.utc(at),
            }
            for image, label, labeler, at in columns
            if label in CLASSES and at is not None
        ]
        return samples.frame(said, samples.SAID)

    def tags(self) -> pl.DataFrame:
        rows = [
            {"image": image, "tags": sorted({*tags} - OURS)} for image, tags in self._values("image", "tags")
        ]
        return samples.frame([row for row in rows if row["tags"]], samples.TAGGED)

    def upsert(self, table: pl.DataFrame) -> int:
        """Shows every row of the table; how many were new."""
        known = set(self.dataset.values("image"))
        new = table.filter(~pl.col("image").is_in(known))
        for part in new.iter_slices(BATCH):
            self.dataset.add_samples(
                [documents.sample(row) for row in part.iter_rows(named=True)], progress=False
            )
        self._refresh(table.filter(pl.col("image").is_in(known)))
        return new.height

    def say(self, labels: dict[str, int], labeler: str, at: datetime, tags: dict[str, list[str]]) -> None:
        """Writes labels and tags as a person would in the App."""
        moment = at.astimezone(UTC).replace(tzinfo=None)
        truths = {image: documents.truth(label, labeler, moment) for image, label in labels.items()}
        self.dataset.set_values("ground_truth", truths, key_field="image", progress=False)
        said = {image: words for image, words in tags.items() if image in labels}
        self.dataset.set_values("tags", said, key_field="image", progress=False)

    def show_cases(self, cases: pl.DataFrame) -> None:
        """Tags tonight's cases, with reason and score: the saved view of that name shows them."""
        self.dataset.match_tags(CASE).untag_samples(CASE)
        for key in ("reason", "score"):
            self.dataset.set_values(
                key, dict(cases.select("image", key).iter_rows()), key_field="image", progress=False
            )
        self.dataset.select_by("image", cases["image"].to_list()).tag_samples(CASE)

    def _values(self, *keys: str) -> list[tuple[Any, ...]]:
        return list(zip(*self.dataset.values(list(keys)), strict=True))

    def _sign(self) -> None:
        """A click in the App carries no name and no time: give it both, once, when first seen."""
        keys = ("image", "ground_truth.label", "ground_truth.signed", "last_modified_at")
        fresh = {
            image: documents.truth(CLASSES.index(label), APP, at)
            for image, label, signed, at in self._values(*keys)
            if label in CLASSES and label != signed
        }
        self.dataset.set_values("ground_truth", fresh, key_field="image", progress=False)

    def _refresh(self, table: pl.DataFrame) -> None:
        """Labels and predictions that changed since they were last documents."""
        held = {
            image: rest
            for image, *rest in self._values("image", "ground_truth.label", "prediction.confidence")
        }
        rows = list(table.iter_rows(named=True))
        labels = {
            row["image"]: documents.given(row)
            for row in rows
            if documents.word(row["label"]) != held[row["image"]][0]
        }
        answers = {
            row["image"]: documents.answer(row["p"])
            for row in rows
            if documents.confidence(row["p"]) != held[row["image"]][1]
        }
        self.dataset.set_values("ground_truth", labels, key_field="image", progress=False)
        self.dataset.set_values("prediction", answers, key_field="image", progress=False)
