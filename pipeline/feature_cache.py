"""Vectors on disk: one SQLite file, safe under SIGKILL and under two writers at once."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference_runtime.errors import Fixable

Vectors = NDArray[np.float32]
View = tuple[str, str]

TABLE = "CREATE TABLE IF NOT EXISTS vectors (image TEXT, view TEXT, vector BLOB, PRIMARY KEY (image, view))"
INSERT = "INSERT OR IGNORE INTO vectors VALUES (?, ?, ?)"
SELECT = "SELECT vector FROM vectors WHERE image = ? AND view = ?"


class Cache:
    """Holds float16, half the room at a thousandth of the distance between two pictures."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __enter__(self) -> "Cache":
        self.file.parent.mkdir(parents=True, exist_ok=True)
        # The plain rollback journal, not WAL: one file at rest, and sound on network file systems, too.
        self._open = sqlite3.connect(self.file, timeout=60, isolation_level=None)
        with self._complaining():
            self._open.execute("PRAGMA synchronous = NORMAL")
            self._open.execute(TABLE)
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def missing(self, views: Sequence[View]) -> list[View]:
        """Those not held, each once."""
        with self._complaining():
            held = set(self._open.execute("SELECT image, view FROM vectors"))
        return [view for view in dict.fromkeys(views) if view not in held]

    def write(self, views: Sequence[View], vectors: Vectors) -> None:
        """All of them or none; what another writer wrote meanwhile stays."""
        blobs = [vector.astype(np.float16).tobytes() for vector in vectors]
        rows = [(*view, blob) for view, blob in zip(views, blobs, strict=True)]
        with self._complaining(), self._transaction():
            self._open.executemany(INSERT, rows)

    def read(self, views: Sequence[View]) -> Vectors:
        """A row per view, in that order."""
        if not views:
            return np.empty((0, 0), np.float32)
        with self._complaining():
            blobs = [self._open.execute(SELECT, view).fetchone()[0] for view in views]
        return np.frombuffer(b"".join(blobs), np.float16).reshape(len(views), -1).astype(np.float32)

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        # IMMEDIATE: a second writer waits here, instead of failing at its first row.
        self._open.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # On a full disk SQLite has rolled back already.
            if self._open.in_transaction:
                self._open.execute("ROLLBACK")
            raise
        self._open.execute("COMMIT")

    @contextmanager
    def _complaining(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.DatabaseError as error:
            raise self._fixable(error) or error from None

    def _fixable(self, error: sqlite3.DatabaseError) -> Fixable | None:
        match getattr(error, "sqlite_errorcode", None):
            case sqlite3.SQLITE_FULL:
                return Fixable(
                    f"{self.file}: no space left; free some and run again, what was embedded stays"
                )
            case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
                return Fixable(
                    f"{self.file}: damaged; delete it and run again, its vectors are computed anew"
                )
        return None
