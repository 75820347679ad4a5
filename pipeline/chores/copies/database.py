"""What people said lies in MongoDB: every document as it is, with its indexes, and back again."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline.services import mongo

DOCUMENTS, INDEXES = ".bson", ".indexes.json"
BATCH = 1000


def dump(folder: Path) -> None:
    """A file per collection, as mongodump writes them."""
    from bson import json_util

    with _opened() as database:
        for name in sorted(database.list_collection_names(filter={"type": "collection"})):
            with (folder / f"{name}{DOCUMENTS}").open("wb") as out:
                for batch in database[name].find_raw_batches(sort=[("_id", 1)]):
                    out.write(batch)
            indexes = [dict(index) for index in database[name].list_indexes()]
            (folder / f"{name}{INDEXES}").write_text(json_util.dumps(indexes))


def load(folder: Path) -> int:
    """Into an empty database; how many documents came."""
    with _opened() as database:
        return sum(_load(database[file.stem], file) for file in sorted(folder.glob(f"*{DOCUMENTS}")))


def refuse_full() -> None:
    with _opened() as database:
        if names := database.list_collection_names():
            raise Fixable(
                f"MongoDB: the database {database.name} holds {names[0]} and more; drop it first, or name"
                " another one in FIFTYONE_DATABASE_NAME"
            )


def _load(collection: Any, file: Path) -> int:
    from bson import CodecOptions, decode_file_iter, json_util
    from bson.raw_bson import RawBSONDocument

    count = 0
    with file.open("rb") as documents:
        raw = decode_file_iter(documents, CodecOptions(document_class=RawBSONDocument))
        while batch := list(islice(raw, BATCH)):
            collection.insert_many(batch, ordered=True)
            count += len(batch)
    indexes = json_util.loads(file.with_name(f"{file.stem}{INDEXES}").read_text())
    if wanted := [index for index in indexes if index["name"] != "_id_"]:
        collection.database.command("createIndexes", collection.name, indexes=wanted)
    return count


@contextmanager
def _opened() -> Iterator[Any]:
    from pymongo import MongoClient

    with mongo.running() as uri, MongoClient(uri) as client:
        yield client[os.environ["FIFTYONE_DATABASE_NAME"]]
