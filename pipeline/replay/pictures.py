"""What a campaign draws from: labelled pictures, and of painted ones the scene behind them."""

import csv
import re
from dataclasses import dataclass
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline.world import base
from pipeline.world.scene import Scene

PAINTED = re.compile(rf"(base|traffic)-(\d+)-v{base.VERSION}-(\d+)\.jpg")


@dataclass(frozen=True)
class Picture:
    file: Path
    label: int
    source: str
    tags: tuple[str, ...]

    def scene(self) -> Scene | None:
        """Of a painted picture, told by its name; None of any other."""
        match = PAINTED.fullmatch(self.file.name)
        if match is None:
            return None
        mix, seed, index = match.groups()
        return base.nth(int(seed), int(index), mix)


def read(folder: Path, key: str) -> list[Picture]:
    """By labels.csv (file,label,tags and, if there is one, source); both labels must be there."""
    listing = folder / "labels.csv"
    try:
        with listing.open(newline="") as file:
            records = list(csv.DictReader(file))
        found = [_picture(folder, record) for record in records if record["label"] in ("0", "1")]
    except OSError as error:
        raise Fixable(f"{key}: {listing}: {error.strerror}; name a folder of labelled pictures") from None
    except KeyError as missing:
        raise Fixable(f"{key}: {listing}: no column {missing.args[0]}; add it") from None
    if len({picture.label for picture in found}) < 2:
        raise Fixable(f"{key}: {listing}: a campaign needs pictures of both labels, 0 and 1; label some")
    return found


def _picture(folder: Path, record: dict[str, str]) -> Picture:
    tags = tuple(sorted((record.get("tags") or "").split()))
    return Picture(folder / record["file"], int(record["label"]), record.get("source") or folder.name, tags)
