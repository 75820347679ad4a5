"""Pictures of a set that came home before: known by their place, size and time, they are not read again."""

import hashlib
from pathlib import Path

import polars as pl

from pipeline import images, samples
from pipeline.images import Picture
from pipeline.pull import ledger

SCHEMA = {"mark": pl.String, "image": pl.String, "width": pl.Int32, "height": pl.Int32}


class Seen:
    def __init__(self, address: str) -> None:
        digest = hashlib.sha256(str(Path(address).resolve()).encode()).hexdigest()[:16]
        self._file = ledger.root() / f"base-{digest}.parquet"
        self._known = self._read()
        self._now: dict[str, Picture] = {}

    def get(self, mark: str) -> Picture | None:
        """None, too, for a picture that is no longer here."""
        picture = self._known.get(mark)
        if picture is None or not images.path(picture.image).exists():
            return None
        return self.keep(mark, picture)

    def keep(self, mark: str, picture: Picture) -> Picture:
        self._now[mark] = picture
        return picture

    def save(self) -> None:
        """What was seen this time; the rest has left the set."""
        if self._now.keys() == self._known.keys():
            return
        rows = [(mark, one.image, one.width, one.height) for mark, one in self._now.items()]
        draft = self._file.with_suffix(".draft")
        draft.parent.mkdir(parents=True, exist_ok=True)
        samples.keep(pl.DataFrame(rows, schema=SCHEMA, orient="row"), draft)
        draft.replace(self._file)

    def _read(self) -> dict[str, Picture]:
        try:
            table = pl.read_parquet(self._file)
        except (OSError, pl.exceptions.PolarsError):
            return {}
        return {mark: Picture(*rest) for mark, *rest in table.iter_rows()}
