"""Parquet files with the pictures inside, as the Hugging Face hub keeps image datasets."""

import json
from pathlib import Path
from typing import Any

import polars as pl

from inference_runtime.errors import Fixable
from pipeline.progress import say
from pipeline.pull.base.offer import Offer, Offers, mark
from pipeline.pull.classes import word

LABEL, TOLD = "label", "scene_description"
PART = 64  # rows whose pictures are in memory at once


def offers(folder: Path) -> Offers:
    for file in found(folder):
        yield from _offers(file)


def found(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.parquet"))


def _offers(file: Path) -> Offers:
    schema = pl.read_parquet_schema(file)
    image = _image_column(file, schema)
    words = pl.read_parquet(file, columns=[key for key in (LABEL, TOLD) if key in schema])
    names, known, pictures = _class_names(file), mark(file), _Pictures(file, image)
    contradictory = 0
    for row, said in enumerate(words.iter_rows(named=True)):
        label = _label(said[LABEL], names)
        if TOLD in said and label is not None and bool(said[TOLD]) != bool(label):
            contradictory += 1
            continue
        place = str(file), row + 1, f"row {row + 1}"
        yield Offer(*place, label, str(said[LABEL]), (), f"{known}#{row}", pictures.reader(row))
    if contradictory:
        left_out = f"{contradictory} of {words.height} rows left out"
        say(f"pull: {file}: {left_out}: label and {TOLD} contradict each other")


def _label(said: Any, names: list[str]) -> int | None:
    """By the name of the class where the numbers have names, for their order is anybody's choice."""
    if isinstance(said, int) and not isinstance(said, bool) and 0 <= said < len(names):
        named = word(names[said])
        if named is not None:
            return named
    return word(said)


def _image_column(file: Path, schema: dict[str, Any]) -> str:
    if LABEL in schema:
        for key, kind in schema.items():
            if kind == pl.Binary or (isinstance(kind, pl.Struct) and "bytes" in dict(kind)):
                return key
    raise Fixable(
        f"{file}: has the columns {', '.join(schema)}; a base set needs {LABEL!r} and pictures "
        "(binary, or a struct with bytes, as Hugging Face datasets have)"
    )


def _class_names(file: Path) -> list[str]:
    """What the `datasets` library notes about the labels."""
    try:
        noted = json.loads(pl.read_parquet_metadata(file).get("huggingface", "{}"))
        return list(noted["info"]["features"][LABEL]["names"])
    except (ValueError, KeyError, TypeError):
        return []


class _Pictures:
    """The bytes of rows, read in parts as they are asked for, in order."""

    def __init__(self, file: Path, column: str) -> None:
        self._file, self._column = file, column
        self._first, self._part = 0, pl.Series([], dtype=pl.Binary)

    def reader(self, row: int) -> Any:
        return lambda: self._bytes(row)

    def _bytes(self, row: int) -> bytes:
        if not self._first <= row < self._first + len(self._part):
            self._first = row
            part = pl.scan_parquet(self._file).select(self._column).slice(row, PART).collect()
            self._part = part[self._column]
        data = self._part[row - self._first]
        data = data["bytes"] if isinstance(data, dict) else data
        if not data:
            raise FileNotFoundError("no picture in this row")
        return bytes(data)
