"""What could not be read, where it lies and why. It is tried again on every pull, so mending it is enough."""

from dataclasses import asdict, dataclass, field
from pathlib import Path

import polars as pl

from inference_runtime.errors import Fixable
from pipeline import samples
from pipeline.progress import say

FILE = "quarantine.parquet"
SPOKEN = 10  # more than this many lines help nobody
SCHEMA = {"file": pl.String, "line": pl.Int64, "image": pl.String, "reason": pl.String}


@dataclass(frozen=True)
class Row:
    file: str
    line: int
    image: str | None
    reason: str


@dataclass
class Quarantine:
    rows: list[Row] = field(default_factory=list)

    def add(self, file: str, line: int, image: str | None, reason: str) -> None:
        self.rows.append(Row(file, line, image, reason))
        if len(self.rows) <= SPOKEN:
            say(f"quarantined: {file}, line {line}: {reason}; mend it and pull again, or leave it out")

    def take(self, table: pl.DataFrame) -> None:
        for row in table.select(list(SCHEMA)).iter_rows():
            self.add(*row)

    def check(self, most: float, total: int) -> None:
        share = len(self.rows) / total if total else 0.0
        if share > most:
            first = self.rows[0]
            raise Fixable(
                f"{first.file}, line {first.line}: {first.reason}; {len(self.rows)} of {total} rows "
                f"({share:.0%}) are broken, params.yaml pull.max_broken allows {most:.0%}: mend or raise it"
            )

    def write(self, out: Path) -> None:
        table = pl.DataFrame([asdict(row) for row in self.rows], schema=SCHEMA, orient="row")
        samples.keep(table.sort("file", "line", nulls_last=True), out / FILE)
