"""Tags by which people find in FiftyOne what waits for them, written straight into its database.

`pull` fills the dataset through FiftyOne itself, which takes seconds to import; what comes later in the
night is a tag and a number on pictures that are there already.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import polars as pl

from pipeline.services import mongo

CASE = "case"  # the tag, and the saved view, of what waits for a label
SUSPECT = "suspect"  # its label is probably wrong
FAULT = "fault"  # the picture itself is no good
ASKED = "asked"  # somebody wants a label for it
QUEUE = (CASE, SUSPECT, ASKED)
OURS = frozenset((*QUEUE, FAULT))  # the house's words, not what people say of a picture
PART = 10_000  # names in one question to the database


def put(dataset: str, suspects: pl.DataFrame, faults: pl.DataFrame, splits: pl.DataFrame) -> None:
    """Takes last night's marks off and puts tonight's on. Killed in between, the next call makes it whole."""
    with _samples(dataset) as rows:
        if rows is None:  # nobody has pulled into it yet
            return
        _mark(rows, SUSPECT, "doubt", dict(suspects.select("image", "doubt").iter_rows()))
        _mark(rows, FAULT, "faults", dict(faults.select("image", "faults").iter_rows()))
        _split(rows, splits)


def count(dataset: str) -> dict[str, int]:
    """How many pictures wait, by tag; empty where there is no such dataset."""
    with _samples(dataset) as rows:
        return {} if rows is None else {tag: rows.count_documents({"tags": tag}) for tag in QUEUE}


@contextmanager
def _samples(dataset: str) -> Iterator[Any]:
    """The collection in which FiftyOne keeps the samples of a dataset; None where there is none."""
    import pymongo

    with mongo.running() as uri, pymongo.MongoClient(uri) as client:
        database = client[mongo.fiftyone(uri)["FIFTYONE_DATABASE_NAME"]]
        known = database["datasets"].find_one({"name": dataset})
        yield None if known is None else database[known["sample_collection_name"]]


def _mark(rows: Any, tag: str, key: str, values: dict[str, Any]) -> None:
    import pymongo

    held = {row["image"] for row in rows.find({"tags": tag}, {"image": 1})}
    for part in _parts(held - values.keys()):
        rows.update_many({"image": {"$in": part}}, {"$pull": {"tags": tag}, "$set": {key: None}})
    changes = [
        pymongo.UpdateOne({"image": image}, {"$addToSet": {"tags": tag}, "$set": {key: value}})
        for image, value in values.items()
    ]
    if changes:
        rows.bulk_write(changes, ordered=False)


def _split(rows: Any, splits: pl.DataFrame) -> None:
    for name, images in splits.group_by("split").agg("image").sort("split").iter_rows():
        for part in _parts(images):
            rows.update_many({"image": {"$in": part}, "split": {"$ne": name}}, {"$set": {"split": name}})


def _parts(images: Iterable[str]) -> Iterable[list[str]]:
    listed = sorted(images)
    return (listed[start : start + PART] for start in range(0, len(listed), PART))
