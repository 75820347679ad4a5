"""What the runtime answered, each entry once, with the picture it was asked about."""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from functools import partial

import polars as pl

from inference_runtime.segment import OPEN
from pipeline import samples, store
from pipeline.params import Pull
from pipeline.progress import Progress
from pipeline.pull import ledger, pictures
from pipeline.pull.at_once import each
from pipeline.pull.quarantine import Quarantine
from pipeline.pull.segments import ENTRIES, Reading, reading

AS_SENT = "native"  # the validator has cropped already; nothing may be cut again
BATCH = 64 << 20  # bytes of segments that become one haul: what a kill can cost

PREDICTIONS = {key: kind for key, kind in ENTRIES.items() if key not in ("segment", "line", "pictured")}


def read(params: Pull, until: datetime, quarantine: Quarantine, known: Collection[str]) -> pl.DataFrame:
    """Every answer up to then whose picture is home, by picture and time.

    `known` are pictures that came by another way.
    """
    shelf = store.at(params.journal, "pull.journal", params.connections)
    with ledger.opened(params.journal) as book:
        entries, broken = _brought(shelf, book, params, until)
    entries = entries.filter(pl.col("at") <= until)
    quarantine.take(broken.filter(_spoken_of(until)))
    wanted = pictures.missing(entries.filter("pictured")["image"].unique())
    absent = pictures.fetch(shelf, wanted, params.connections)
    quarantine.take(_places(entries, absent))
    return samples.conform(_whole(entries, absent, known), PREDICTIONS).sort("image", "at", "id")


def _brought(
    shelf: store.Store, book: ledger.Ledger, params: Pull, until: datetime
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """All entries and all broken lines, the old ones from the ledger."""
    since = book.since(until, params.late_days)
    listed = list(shelf.objects("segments", since))
    closed = [one for one in listed if not one.name.endswith(OPEN)]
    read_one = partial(reading, shelf, into=book.incoming)
    new = book.unread(closed)
    readings = Progress(each(read_one, new, params.connections), "pull: segments", total=len(new))
    for batch in _batches(readings):
        book.add(batch)
    if not since:
        book.all_listed(until)
    # What is still being written is read as far as it is, and again when it is closed.
    growing = [read_one(one) for one in listed if one.name.endswith(OPEN)]
    entries = [book.entries(), *(one.entries for one in growing)]
    return ledger.once(pl.concat(entries)), pl.concat([book.broken(), *(one.broken for one in growing)])


def _batches(readings: Iterable[Reading]) -> Iterator[list[Reading]]:
    batch: list[Reading] = []
    for one in readings:
        batch.append(one)
        if sum(done.segment.size for done in batch) >= BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _spoken_of(until: datetime) -> pl.Expr:
    """A broken line has no time; it belongs to the nights after its segment was begun."""
    later = pl.lit(f"{until:{ledger.STAMP}}")
    return ~pl.col("file").str.contains(r"/\d{8}T\d{6}Z-") | (
        pl.col("file").str.extract(r"/(\d{8}T\d{6}Z)-") <= later
    )


def _places(entries: pl.DataFrame, absent: dict[str, str]) -> pl.DataFrame:
    """For each picture that could not come, the line that first spoke of it."""
    reasons = pl.DataFrame(
        {"image": list(absent), "reason": list(absent.values())},
        schema_overrides={"image": pl.String, "reason": pl.String},
    )
    spoken = entries.filter("pictured").join(reasons, on="image").sort("segment", "line")
    return spoken.unique("image", keep="first", maintain_order=True).select(
        "line", "image", "reason", file="segment"
    )


def _whole(entries: pl.DataFrame, absent: dict[str, str], known: Collection[str]) -> pl.DataFrame:
    # An answer whose image was left out on purpose teaches nothing, unless the image came by another way.
    gone = pl.Series(list(absent), dtype=pl.String)
    pictured = entries.filter(pl.col("pictured") & ~pl.col("image").is_in(gone.implode()))
    home = pl.concat([pictured["image"].unique(), pl.Series("image", list(known), dtype=pl.String)])
    others = entries.filter(~pl.col("pictured") & pl.col("image").is_in(home.implode()))
    return pl.concat([pictured, others])


def merge(known: pl.DataFrame, predictions: pl.DataFrame) -> pl.DataFrame:
    """One row per image with its latest answer; an image of the base or gold set stays one."""
    # What a shadow said was no answer to anybody.
    given = predictions.filter(pl.col("role") != "shadow")
    latest = given.unique("image", keep="last", maintain_order=True)
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
