"""FiftyOne is where people look and label: what we show there, and what they say."""

import atexit
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import polars as pl

from pipeline import images, samples
from pipeline.samples import CLASSES
from pipeline.services import mongo

CASE = "case"  # the tag, and the saved view, of what waits for a label
APP = "fiftyone"  # who labelled, when the App does not say
BATCH = 1000


@contextmanager
def opened(name: str) -> Iterator["View"]:
    """The dataset of that name, made when absent; mongod is started for the while when none runs."""
    with mongo.running():
        import fiftyone
        from fiftyone.core.odm import database

        fiftyone.config.show_progress_bars = False
        try:
            yield View(_dataset(fiftyone, name))
        finally:
            # At exit FiftyOne would look for throw-away datasets, which we never make, and wait half a minute
            # for a server that has gone by then.
            atexit.unregister(database._delete_non_persistent_datasets_if_allowed)


def _dataset(fiftyone: Any, name: str) -> Any:
    if fiftyone.dataset_exists(name):
        return fiftyone.load_dataset(name)
    dataset = fiftyone.Dataset(name, persistent=True)
    for key in ("image", "source", "reason"):
        dataset.add_sample_field(key, fiftyone.StringField)
    dataset.add_sample_field("score", fiftyone.FloatField)
    for key in ("ground_truth", "prediction"):
        dataset.add_sample_field(
            key, fiftyone.EmbeddedDocumentField, embedded_doc_type=fiftyone.Classification
        )
    # `signed` is the label as we know it: when the App shows another one, a person has changed it.
    for key in ("labeler", "signed"):
        dataset.add_sample_field(f"ground_truth.{key}", fiftyone.StringField)
    dataset.add_sample_field("ground_truth.labelled_at", fiftyone.DateTimeField)
    dataset.create_index("image", unique=True)
    return dataset


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
            {"image": image, "label": CLASSES.index(label), "labeler": labeler, "labelled_at": _utc(at)}
            for image, label, labeler, at in columns
            if label in CLASSES and at is not None
        ]
        return samples.frame(said, samples.SAID)

    def tags(self) -> pl.DataFrame:
        rows = [
            {"image": image, "tags": sorted({*tags} - {CASE})}
            for image, tags in self._values("image", "tags")
        ]
        return samples.frame([row for row in rows if row["tags"]], samples.TAGGED)

    def upsert(self, table: pl.DataFrame) -> int:
        """Shows every row of the table; how many were new."""
        known = set(self.dataset.values("image"))
        new = table.filter(~pl.col("image").is_in(known))
        for part in new.iter_slices(BATCH):
            self.dataset.add_samples([_sample(row) for row in part.iter_rows(named=True)], progress=False)
        self._refresh(table.filter(pl.col("image").is_in(known)))
        return new.height

    def say(self, labels: dict[str, int], labeler: str, at: datetime, tags: dict[str, list[str]]) -> None:
        """Writes labels and tags as a person would in the App."""
        moment = at.astimezone(UTC).replace(tzinfo=None)
        truths = {image: _truth(label, labeler, moment) for image, label in labels.items()}
        self.dataset.set_values("ground_truth", truths, key_field="image", progress=False)
        said = {image: words for image, words in tags.items() if image in labels}
        self.dataset.set_values("tags", said, key_field="image", progress=False)

    def show_cases(self, cases: pl.DataFrame) -> None:
        """Tags tonight's cases, with reason and score, and saves the view in which people label them."""
        self.dataset.match_tags(CASE).untag_samples(CASE)
        for key in ("reason", "score"):
            self.dataset.set_values(
                key, dict(cases.select("image", key).iter_rows()), key_field="image", progress=False
            )
        self.dataset.select_by("image", cases["image"].to_list()).tag_samples(CASE)
        waiting = self.dataset.match_tags(CASE).sort_by("score", reverse=True)
        self.dataset.save_view(CASE, waiting, description="What waits for a label tonight", overwrite=True)

    def _values(self, *keys: str) -> list[tuple[Any, ...]]:
        return list(zip(*self.dataset.values(list(keys)), strict=True))

    def _sign(self) -> None:
        """A click in the App carries no name and no time: give it both, once, when first seen."""
        keys = ("image", "ground_truth.label", "ground_truth.signed", "last_modified_at")
        fresh = {
            image: _truth(CLASSES.index(label), APP, at)
            for image, label, signed, at in self._values(*keys)
            if label in CLASSES and label != signed
        }
        self.dataset.set_values("ground_truth", fresh, key_field="image", progress=False)

    def _refresh(self, table: pl.DataFrame) -> None:
        """Labels and predictions that changed since they were last shown."""
        shown = {
            image: rest
            for image, *rest in self._values("image", "ground_truth.label", "prediction.confidence")
        }
        rows = list(table.iter_rows(named=True))
        labels = {row["image"]: _given(row) for row in rows if _word(row["label"]) != shown[row["image"]][0]}
        answers = {
            row["image"]: _answer(row["p"]) for row in rows if _confidence(row["p"]) != shown[row["image"]][1]
        }
        self.dataset.set_values("ground_truth", labels, key_field="image", progress=False)
        self.dataset.set_values("prediction", answers, key_field="image", progress=False)


def _sample(row: dict[str, Any]) -> Any:
    import fiftyone

    return fiftyone.Sample(
        filepath=str(images.path(row["image"]).absolute()),
        image=row["image"],
        source=row["source"],
        tags=row["tags"],
        ground_truth=_given(row),
        prediction=_answer(row["p"]),
    )


def _given(row: dict[str, Any]) -> Any:
    if row["label"] is None:
        return None
    at = row["labelled_at"]
    return _truth(row["label"], row["labeler"], at and at.astimezone(UTC).replace(tzinfo=None))


def _truth(label: int, labeler: str, at: datetime | None) -> Any:
    import fiftyone

    word = CLASSES[label]
    return fiftyone.Classification(label=word, labeler=labeler, labelled_at=at, signed=word)


def _answer(p: float | None) -> Any:
    import fiftyone

    return (
        None if p is None else fiftyone.Classification(label=CLASSES[int(p > 0.5)], confidence=_confidence(p))
    )


def _confidence(p: float | None) -> float | None:
    return None if p is None else max(p, 1 - p)


def _word(label: int | None) -> str | None:
    return None if label is None else CLASSES[label]


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
