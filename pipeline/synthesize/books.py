"""What was painted and what it cost: one SQLite file, written before a painter is asked and after.

Money is booked before it is spent, so a budget holds even when the answer is lost on the way.
"""

import json
import os
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

TABLES = """
CREATE TABLE IF NOT EXISTS asked
  (number INTEGER PRIMARY KEY, painting TEXT, painter TEXT, usd REAL, answered INTEGER);
CREATE INDEX IF NOT EXISTS by_painting ON asked (painting);
CREATE TABLE IF NOT EXISTS paintings (painting TEXT PRIMARY KEY, entry TEXT);
"""


@dataclass(frozen=True)
class Entry:
    """A painting in the house, or the reason why there is none."""

    image: str | None
    declined: str | None
    prompt: str
    model: str | None
    revision: str | None
    usd: float


def place() -> Path:
    return Path(os.environ.get("PAINTINGS", "var/paintings.sqlite"))


class Books:
    def __init__(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._open = sqlite3.connect(file, timeout=60, isolation_level=None)
        # FULL: money that was spent must not be forgotten in a power cut.
        self._open.execute("PRAGMA synchronous = FULL")
        self._open.executescript(TABLES)

    def __enter__(self) -> "Books":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    def entry(self, key: str) -> Entry | None:
        row = self._open.execute("SELECT entry FROM paintings WHERE painting = ?", (key,)).fetchone()
        return Entry(**json.loads(row[0])) if row else None

    def ask(self, key: str, painter: str, usd: float) -> int:
        """Books the price; what never answers stays booked, for nobody knows whether it was paid."""
        sql = "INSERT INTO asked (painting, painter, usd, answered) VALUES (?, ?, ?, 0)"
        number = self._open.execute(sql, (key, painter, usd)).lastrowid
        assert number is not None
        return number

    def answer(self, number: int, key: str, entry: Entry) -> None:
        """What it really cost takes the place of what was booked."""
        self._open.execute("BEGIN IMMEDIATE")
        self._open.execute("UPDATE asked SET usd = ?, answered = 1 WHERE number = ?", (entry.usd, number))
        said = json.dumps(asdict(entry))
        self._open.execute("INSERT OR REPLACE INTO paintings VALUES (?, ?)", (key, said))
        self._open.execute("COMMIT")

    def refund(self, numbers: Sequence[int]) -> None:
        """The painter said that it did nothing, and takes nothing for it."""
        self._open.executemany(
            "UPDATE asked SET usd = 0, answered = 1 WHERE number = ?", [(n,) for n in numbers]
        )

    def spent(self, keys: Iterable[str]) -> float:
        sql = "SELECT coalesce(sum(usd), 0) FROM asked WHERE painting = ?"
        return float(sum(self._open.execute(sql, (key,)).fetchone()[0] for key in set(keys)))
