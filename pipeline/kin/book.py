"""What was compared already, and how alike it was: a night only compares what is new."""

import hashlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from inference_runtime.errors import Fixable

TABLES = """
CREATE TABLE IF NOT EXISTS searched (key TEXT, image TEXT, profile TEXT, source TEXT,
  PRIMARY KEY (key, image)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pairs (key TEXT, one TEXT, other TEXT, likeness REAL,
  PRIMARY KEY (key, one, other)) WITHOUT ROWID;
"""


@dataclass(frozen=True, order=True)
class Pair:
    one: str  # the lesser name of the two
    other: str
    likeness: float


class Book:
    """Under one key stands what one way of searching found. Safe under SIGKILL and under two writers."""

    def __init__(self, opened: sqlite3.Connection, key: str) -> None:
        self._open, self._key = opened, key

    def searched(self) -> dict[str, tuple[str, str]]:
        """Profile and source of each picture that was compared with all that came before it."""
        query = "SELECT image, profile, source FROM searched WHERE key = ?"
        return {
            image: (profile, source) for image, profile, source in self._open.execute(query, (self._key,))
        }

    def pairs(self) -> Iterator[Pair]:
        query = "SELECT one, other, likeness FROM pairs WHERE key = ? ORDER BY one, other"
        return (Pair(*row) for row in self._open.execute(query, (self._key,)))

    def write(self, searched: Sequence[tuple[str, str, str]], pairs: Sequence[Pair]) -> None:
        """A picture (image, profile, source) counts as searched only together with all that was found of
        it."""
        with self._open:  # one transaction
            self._open.executemany(
                "INSERT OR REPLACE INTO pairs VALUES (?, ?, ?, ?)",
                [(self._key, pair.one, pair.other, pair.likeness) for pair in pairs],
            )
            rows = [(self._key, *row) for row in searched]
            self._open.executemany("INSERT OR IGNORE INTO searched VALUES (?, ?, ?, ?)", rows)


@contextmanager
def opened(facts: str) -> Iterator[Book]:
    """The book of a way of searching that is described by these facts."""
    file = Path(os.environ.get("KIN", "var/kin.sqlite"))
    file.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(file, timeout=60)) as connection:
        try:
            connection.executescript(TABLES)
            yield Book(connection, hashlib.sha256(facts.encode()).hexdigest()[:16])
        except sqlite3.DatabaseError as error:
            if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
                raise Fixable(f"{file}: damaged; delete it and run again, all is compared anew") from None
            raise
