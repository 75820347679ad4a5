"""What the runtime answered, each entry once, with the picture it was asked about."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime
from typing import Any

import polars as pl

from inference_runtime import journal
from inference_runtime.errors import ImageError
from pipeline import images, samples, store
from pipeline.progress import Progress
from pipeline.pull.quarantine import Quarantine

AS_SENT = "native"  # the validator has cropped already; nothing may be cut again

PREDICTIONS: dict[str, Any] = {
    "id": pl.String,
    "at": samples.MOMENT,
    "image": pl.String,
    "p": pl.Float64,
    "bundle": pl.String,
    "width": pl.Int32,
    "height": pl.Int32,
    "ms": pl.Float64,
    "request": pl.String,
    "role": pl.String,
}


def read(address: str, until: datetime, quarantine: Quarantine) -> pl.DataFrame:
    shelf = store.at(address, "pull.journal")
    entries, places = _entries(shelf, until, quarantine)
    bad = set(_broken_images(shelf, entries.values(), places, quarantine))
    rows = [_row(entry) for entry in entries.values() if entry.image not in bad and _is_home(entry)]
    return samples.frame(rows, PREDICTIONS)


def _entries(
    shelf: store.Store, until: datetime, quarantine: Quarantine
) -> tuple[dict[str, journal.Entry], dict[str, tuple[str, int]]]:
    """Entries by id, and for each image the file and line that first spoke of it."""
    entries: dict[str, journal.Entry] = {}
    places: dict[str, tuple[str, int]] = {}
    for name in shelf.names("segments"):
        for line, entry in enumerate(journal.read(shelf.local(name)), 1):
            if isinstance(entry, journal.Broken):
                quarantine.add(name, entry.line, None, entry.reason)
            elif datetime.fromisoformat(entry.at) <= until:
                entries[entry.id] = entry
                places.setdefault(entry.image, (name, line))
    return entries, places


def _broken_images(
    shelf: store.Store,
    entries: Iterable[journal.Entry],
    places: dict[str, tuple[str, int]],
    quarantine: Quarantine,
) -> Iterable[str]:
    new = sorted({one.image for one in entries if one.has_image and not images.path(one.image).exists()})
    for image in Progress(new, "pull: new pictures"):
        try:
            _bring_home(shelf, image)
        except (ImageError, FileNotFoundError) as error:
            quarantine.add(*places[image], image, f"images/{image[:2]}/{image}.jpg: {error}")
            yield image


def _bring_home(shelf: store.Store, image: str) -> None:
    data = shelf.local(f"images/{image[:2]}/{image}.jpg").read_bytes()
    if images.name(data) != image:
        raise ImageError("its bytes do not match its name")
    images.admit(data)


def _is_home(entry: journal.Entry) -> bool:
    # An answer whose image was left out on purpose teaches nothing, unless the image came by another way.
    return entry.has_image or images.path(entry.image).exists()


def _row(entry: journal.Entry) -> dict[str, Any]:
    return asdict(entry) | {"at": datetime.fromisoformat(entry.at)}


def merge(known: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """One row per image with its latest answer; an image of the base or gold set stays one."""
    # What a shadow said was no answer to anybody.
    latest = (
        predictions.filter(pl.col("role") != "shadow")
        .sort("at", "id")
        .unique("image", keep="last", maintain_order=True)
    )
    answered = known.drop("at", "p", "bundle").join(
        latest.select("image", "at", "p", "bundle"), on="image", how="left"
    )
    fresh = latest.join(known, on="image", how="anti").with_columns(
        source=pl.lit("challenge"),
        family=pl.col("image"),
        profile=pl.lit(AS_SENT),
        tags=pl.lit([], pl.List(pl.String)),
    )
    return pl.concat([samples.conform(table, samples.PULLED) for table in (answered, fresh)])
