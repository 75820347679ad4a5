"""A labelled picture as a set offers it, whatever form the set has."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.pull.classes import word

PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff")


@dataclass(frozen=True)
class Offer:
    file: str  # where it stands, for a person who must mend it,
    line: int  # counted there from 1
    name: str
    label: int | None  # None where nothing that is a label was said
    said: str
    tags: tuple[str, ...]
    mark: str  # another one when the bytes are others
    bytes: Callable[[], bytes]


Offers = Iterator[Offer]


def mark(file: Path) -> str:
    about = file.stat()
    return f"{file}|{about.st_size}|{about.st_mtime_ns}"


def of_file(file: Path, place: tuple[str, int], name: str, said: object, tags: list[str]) -> Offer:
    """FileNotFoundError comes when the bytes are asked for, so that it is told like every other fault."""
    known = mark(file) if file.is_file() else f"{file}|absent"
    return Offer(*place, name, word(said), str(said), tuple(sorted(tags)), known, file.read_bytes)
