"""The door up: every answer with its image, on disk before it counts as journalled.

<folder>/segments/<UTC stamp>-<8 hex>.open   lines "<crc32> <json>", `.log` once closed
<folder>/images/ab/<sha256>.jpg              there before the first line that names it
"""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from io import BufferedReader
from pathlib import Path

from inference_runtime import images
from inference_runtime.errors import Fixable
from inference_runtime.predictor import Answer
from inference_runtime.segment import CLOSED, OPEN, Segment, entry_of, line_of, recover

SEGMENT_BYTES = 8 << 20
WAITING_BYTES = 64 << 20
OLD_SECONDS = 600

KINDS: Mapping[str, type | tuple[type, ...]] = {
    "id": str,
    "at": str,
    "image": str,
    "p": (int, float),
    "bundle": str,
    "width": int,
    "height": int,
    "ms": (int, float),
}
# Newer than the first journals, whose lines lack them.
ADDED = ("request", "role")


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


@dataclass(frozen=True)
class Broken:
    """A line, counted from 1, that can not be trusted."""

    segment: Path
    line: int
    reason: str


@dataclass(frozen=True)
class _Waiting:
    answer: Answer
    data: bytes
    ms: float
    request: str
    role: str
    at: datetime
    done: Future[str]


class Journal:
    """Many threads append, one writes: what gathered while the disk was busy shares one sync."""

    def __init__(self, folder: Path, segment_bytes: int = SEGMENT_BYTES) -> None:
        self.written = 0
        self.shed = 0
        self._folder = folder
        self._segment_bytes = segment_bytes
        self._segment: Segment | None = None
        self._lines = 0
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._closed = False
        self._gate = threading.Condition()
        _set_up(folder)
        self._writer = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._writer.start()

    def append(self, answer: Answer, data: bytes, ms: float, request: str = "", role: str = "serve") -> str:
        """The entry's id, once entry and image are durable; OSError when the disk will not have them."""
        return self.submit(answer, data, ms, request, role).result()

    def submit(
        self, answer: Answer, data: bytes, ms: float, request: str = "", role: str = "serve"
    ) -> Future[str]:
        """`append` that does not wait; sheds at once when the disk is far behind."""
        waiting = _Waiting(answer, data, ms, request, role, datetime.now(UTC), Future())
        waiting.done.set_running_or_notify_cancel()  # a caller that gives up must not undo the writing
        with self._gate:
            if self._closed:
                raise RuntimeError("the journal is closed")
            if self._waiting and self._waiting_bytes + len(data) > WAITING_BYTES:
                self._shed([waiting], OSError("the disk is too slow"))
            else:
                self._waiting.append(waiting)
                self._waiting_bytes += len(data)
                self._gate.notify()
        return waiting.done

    def close(self) -> None:
        """Writes what waits, and closes the segment."""
        with self._gate:
            self._closed = True
            self._gate.notify()
        self._writer.join()

    def _write_on(self) -> None:
        while batch := self._take():
            self._commit(batch)
        with contextlib.suppress(OSError):  # what can not be closed now, the next start closes
            self._end_segment()

    def _take(self) -> list[_Waiting]:
        with self._gate:
            self._gate.wait_for(lambda: self._waiting or self._closed)
            batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
            return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        kept = [waiting for waiting in batch if self._keep_image(waiting)]
        try:
            ids = self._write_lines(kept) if kept else []
        except OSError as error:
            self._shed(kept, error)
            return
        self.written += len(kept)
        for waiting, id in zip(kept, ids, strict=True):
            waiting.done.set_result(id)

    def _keep_image(self, waiting: _Waiting) -> bool:
        try:
            images.put(self._folder / "images", self._folder / "drafts", waiting.answer.image, waiting.data)
        except OSError as error:
            self._shed([waiting], error)
            return False
        return True

    def _write_lines(self, kept: list[_Waiting]) -> list[str]:
        if self._segment is None or self._segment.bytes >= self._segment_bytes:
            self._end_segment()
            self._segment, self._lines = Segment(self._folder / "segments", self._folder / "drafts"), 0
        entries = [self._entry(self._segment, waiting) for waiting in kept]
        self._segment.write(b"".join(line_of(asdict(entry)) for entry in entries))
        return [entry.id for entry in entries]

    def _entry(self, segment: Segment, waiting: _Waiting) -> Entry:
        # Counted also when the write fails: a number that was once visible never names another entry.
        self._lines += 1
        answer = waiting.answer
        return Entry(
            id=f"{segment.name}-{self._lines}",
            at=f"{waiting.at:%Y-%m-%dT%H:%M:%S.%fZ}",
            image=answer.image,
            p=answer.p,
            bundle=answer.bundle,
            width=answer.width,
            height=answer.height,
            ms=round(waiting.ms, 3),
            request=waiting.request,
            role=waiting.role,
        )

    def _end_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _shed(self, lost: list[_Waiting], error: OSError) -> None:
        self.shed += len(lost)
        for waiting in lost:
            waiting.done.set_exception(error)


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
    for key in ADDED:
        if not isinstance(found.get(key, ""), str):
            raise ValueError(f"{key} is of the wrong type")
    return Entry(**{key: found[key] for key in (*KINDS, *ADDED) if key in found})


def _set_up(folder: Path) -> None:
    try:
        for name in ("segments", "images", "drafts"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        _sweep(folder / "drafts")
        recover(folder / "segments")
    except OSError as error:
        raise Fixable(f"journal {folder}: {error.strerror}; name a folder that can be written") from error


def _sweep(drafts: Path) -> None:
    # No living writer needs this long for one file: these were left by kills.
    for draft in drafts.iterdir():
        with contextlib.suppress(FileNotFoundError):
            if draft.stat().st_mtime < time.time() - OLD_SECONDS:
                draft.unlink()
