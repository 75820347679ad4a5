"""Which segments of a journal are home, and every entry of theirs, so that none is read twice.

<folder>/2/hauls/00000007-00000009/    entries, segments and broken lines of these runs, whole or not at all
<folder>/2/listed                      when the whole store was listed last; 2 is the version of the rules

All of it is drawn from the store: whoever deletes the folder pays with one long pull, and nothing else.
"""

import fcntl
import hashlib
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl

from pipeline import drafts, samples
from pipeline.progress import say
from pipeline.pull.quarantine import SCHEMA as BROKEN
from pipeline.pull.segments import ENTRIES, Reading
from pipeline.store import Object

VERSION = 2  # of what is kept of a line, and of the rules it is checked by; raise it and all is read again
SEGMENTS = {"name": pl.String, "size": pl.Int64, "mark": pl.String}
FILES = {"entries": ENTRIES, "segments": SEGMENTS, "broken": BROKEN}
STAMP = "%Y%m%dT%H%M%SZ"


def root() -> Path:
    return Path(os.environ.get("PULLED", "var/pulled"))


@contextmanager
def opened(address: str) -> Iterator["Ledger"]:
    """The ledger of one journal; a second pull waits until the first has ended, however it ends."""
    whole = address if "://" in address else str(Path(address).resolve())
    readable = re.sub(r"\W+", "-", address.removeprefix("s3://")).strip("-")[-40:]
    folder = root() / f"{readable}-{hashlib.sha256(whole.encode()).hexdigest()[:8]}"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Ledger(_of_this_version(folder))


def _of_this_version(folder: Path) -> Path:
    """Its room; what another version of the rules has left is of no use to anybody."""
    room = folder / str(VERSION)
    (room / "hauls").mkdir(parents=True, exist_ok=True)
    for other in folder.iterdir():
        if other.is_dir() and other != room:
            say(f"pull: {other} was kept by other rules; the journal is read again")
            shutil.rmtree(other)
    return room


@dataclass(frozen=True)
class Haul:
    folder: Path
    first: int
    last: int
    entries: int

    def read(self, what: str) -> pl.DataFrame:
        return pl.read_parquet(self.folder / f"{what}.parquet")


class Ledger:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.incoming = folder / "incoming"
        shutil.rmtree(self.incoming, ignore_errors=True)
        self.hauls = _hauls(folder / "hauls")
        self._segments = self._current()

    def since(self, until: datetime, late_days: int) -> str:
        """The name after which a listing may begin.

        A segment may reach the store long after it was begun, so the last days are always listed, all of it
        once in so many days, and whatever is broken again, for it may have been mended.
        """
        if not self._segments or abs(until - self._listed()) >= timedelta(days=late_days):
            return ""
        newest = began(max(self._segments))
        if newest is None:
            return ""
        start = min(newest, until) - timedelta(days=late_days)
        names = [f"segments/{start:{STAMP}}", *self.broken()["file"].to_list()]
        return str(min(names))[:-1]

    def unread(self, listed: Iterable[Object]) -> list[Object]:
        return [one for one in listed if self._segments.get(one.name, (None,))[0] != one]

    def add(self, readings: list[Reading]) -> None:
        """All of these, or after a kill none."""
        number = self.hauls[-1].last + 1 if self.hauls else 0
        tables = {
            "entries": pl.concat([one.entries for one in readings]),
            "broken": pl.concat([one.broken for one in readings]),
            "segments": samples.frame([asdict(one.segment) for one in readings], SEGMENTS),
        }
        self.hauls.append(self._write(tables, number, number))
        self._segments |= {one.segment.name: (one.segment, number) for one in readings}
        self._merge()

    def all_listed(self, until: datetime) -> None:
        drafts.write(self.folder / "listed", until.isoformat().encode())

    def entries(self) -> pl.DataFrame:
        """Each once, in no order."""
        found = pl.concat(
            [self._fresh(haul, "entries") for haul in self.hauls] or [pl.DataFrame(schema=ENTRIES)]
        )
        return once(found)

    def broken(self) -> pl.DataFrame:
        return pl.concat(
            [self._fresh(haul, "broken") for haul in self.hauls] or [pl.DataFrame(schema=BROKEN)]
        )

    def _listed(self) -> datetime:
        try:
            return datetime.fromisoformat((self.folder / "listed").read_text())
        except (FileNotFoundError, ValueError):
            return datetime.min.replace(tzinfo=UTC)

    def _current(self) -> dict[str, tuple[Object, int]]:
        """Of each segment its latest reading, and which haul holds it."""
        return {
            row["name"]: (Object(**row), haul.last)
            for haul in self.hauls
            for row in haul.read("segments").iter_rows(named=True)
        }

    def _fresh(self, haul: Haul, what: str) -> pl.DataFrame:
        """Without what a later haul has read anew, because it was mended."""
        key = {"entries": "segment", "broken": "file", "segments": "name"}[what]
        table = haul.read(what)
        names = haul.read("segments")["name"]
        old = [name for name in names if self._segments[name][1] > haul.last]
        return table.filter(~pl.col(key).is_in(old)) if old else table

    def _merge(self) -> None:
        """Small hauls into larger ones, so that few are read; an entry is written some log(n) times."""
        while len(self.hauls) > 1 and self.hauls[-2].entries <= 2 * self.hauls[-1].entries:
            one, two = self.hauls[-2:]
            tables = {what: pl.concat([self._fresh(one, what), two.read(what)]) for what in FILES}
            whole = self._write(tables, one.first, two.last)
            self.hauls[-2:] = [whole]
            for left in (one, two):
                shutil.rmtree(left.folder)

    def _write(self, tables: dict[str, pl.DataFrame], first: int, last: int) -> Haul:
        final = self.folder / "hauls" / f"{first:08d}-{last:08d}"
        with drafts.folder(final) as draft:
            for what, table in tables.items():
                samples.keep(table, draft / f"{what}.parquet")
                _sync(draft / f"{what}.parquet")
        _sync(final.parent)
        return Haul(final, first, last, tables["entries"].height)


def once(entries: pl.DataFrame) -> pl.DataFrame:
    """By their id; of two that differ under one id the one that was said first."""
    if entries["id"].n_unique() == entries.height:
        return entries
    return entries.sort("id", "at", "segment", "line").unique("id", keep="first", maintain_order=True)


def began(segment: str) -> datetime | None:
    """When a segment was begun, by its name."""
    try:
        stamp = Path(segment).name.partition("-")[0]
        return datetime.strptime(stamp, STAMP).replace(tzinfo=UTC)
    except ValueError:
        return None


def _hauls(folder: Path) -> list[Haul]:
    """Without what a kill in the middle of a merge has left behind, and what a power cut has torn."""
    spans = sorted(
        (int(found[1]), -int(found[2]), file)
        for file in folder.iterdir()
        if (found := re.fullmatch(r"(\d{8})-(\d{8})", file.name))
    )
    kept: list[Haul] = []
    for first, minus_last, file in spans:
        haul = _haul(file, first, -minus_last)
        if haul is None or (kept and haul.last <= kept[-1].last):
            shutil.rmtree(file)
        else:
            kept.append(haul)
    return kept


def _haul(file: Path, first: int, last: int) -> Haul | None:
    try:
        counts = {
            what: pl.scan_parquet(file / f"{what}.parquet").select(pl.len()).collect() for what in FILES
        }
    except (OSError, pl.exceptions.PolarsError):
        say(f"pull: {file} is damaged; what it held is read again")
        return None
    return Haul(file, first, last, int(counts["entries"].item()))


def _sync(file: Path) -> None:
    handle = os.open(file, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
