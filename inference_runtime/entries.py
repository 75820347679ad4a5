"""What stands in a journal, and how it is read."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from inference_runtime.segment import CLOSED, OPEN, entry_of

STORED = "stored"  # as it was sent
REDACTED = "redacted"  # as the redaction gave it back; `image` names those bytes
WITHHELD = "withheld"  # the redaction gave nothing back
SHED = "shed"  # the disk was too full or too slow

NUMBER = (int, float)
KINDS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "at": str,
    "image": str,
    "p": NUMBER,
    "bundle": str,
    "width": int,
    "height": int,
    "ms": NUMBER,
}
# Newer than the first journals, whose lines lack them, or not of every entry.
ADDED: Mapping[str, type | tuple[type, ...]] = {
    "request": str,
    "role": str,
    "kept": str,
    "first": NUMBER,
    "second": NUMBER,
    "by": str,
}


@dataclass(frozen=True)
class Entry:
    id: str
    at: str
    image: str
    p: float
    bundle: str
    width: int
    height: int
    ms: float
    request: str = ""  # shared by the entries of one request
    role: str = "serve"  # or "canary": the answer given; "shadow": one that nobody saw
    kept: str = STORED  # what became of the image
    first: float | None = None  # what the bundle said alone, where a second opinion came to `p`
    second: float | None = None  # that opinion
    by: str | None = None  # and whose it was

    def said(self) -> dict[str, Any]:
        """As a line of the journal says it: what there was none of is left out."""
        return {key: value for key, value in vars(self).items() if value is not None}

    @property
    def has_image(self) -> bool:
        """Whether an image was put under `image`; it may be there by another entry all the same."""
        return self.kept in (STORED, REDACTED)


@dataclass(frozen=True)
class Broken:
    """A line, counted from 1, that can not be trusted."""

    segment: Path
    line: int
    reason: str


def segments(folder: Path) -> list[Path]:
    """Every segment of a journal, oldest first, each once, those still open too."""
    # Open ones first: a segment that is closed between the two listings is then seen, not missed.
    found = [file for kind in (OPEN, CLOSED) for file in (folder / "segments").glob(f"*{kind}")]
    return [file for _, file in sorted({file.stem: file for file in found}.items())]


def read(segment: Path) -> Iterator[Entry | Broken]:
    """An unfinished last line is silence while the segment is open, for it may still be being written."""
    with _opened(segment) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.endswith(b"\n") and Path(lines.name).suffix == OPEN:
                return
            try:
                yield _entry_of(line)
            except ValueError as error:
                yield Broken(segment, number, str(error))


def _opened(segment: Path) -> BufferedReader:
    try:
        return segment.open("rb")
    except FileNotFoundError:
        # Closed, and so renamed, since it was listed.
        return segment.with_suffix(CLOSED).open("rb")


def _entry_of(line: bytes) -> Entry:
    found = entry_of(line)
    for key, kind in KINDS.items():
        if not isinstance(found.get(key), kind):
            raise ValueError(f"{key} is missing or of the wrong type")
    for key, kind in ADDED.items():
        if key in found and not isinstance(found[key], kind):
            raise ValueError(f"{key} is of the wrong type")
    return Entry(**{key: found[key] for key in (*KINDS, *ADDED) if key in found})
