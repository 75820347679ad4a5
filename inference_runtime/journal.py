"""The door up: every answer with its image, on disk before it counts as journalled.

<folder>/segments/<UTC stamp>-<8 hex>.open   lines "<crc32> <json>", `.log` once closed
<folder>/images/ab/<sha256>.jpg              there before the first line that names it
"""

import contextlib
import hashlib
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from inference_runtime import images
from inference_runtime.entries import (
    REDACTED,
    SHED,
    STORED,
    WITHHELD,
    Broken,
    Entry,
    read,
    segments,
)
from inference_runtime.errors import Fixable
from inference_runtime.keeping import Keeping
from inference_runtime.predictor import Answer
from inference_runtime.retention import Forgetting
from inference_runtime.segment import Segment, line_of, recover

__all__ = ["Broken", "Entry", "Journal", "read", "segments"]

WAITING_BYTES = 64 << 20
WAITING_ANSWERS = 50_000
OLD_SECONDS = 600
NOTICE_SECONDS = 60.0

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class _Waiting:
    answer: Answer
    data: bytes | None
    ms: float
    request: str
    role: str
    at: datetime
    done: Future[str]


class Journal:
    """Many threads append, one writes: what gathered while the disk was busy shares one sync."""

    def __init__(self, folder: Path, keeping: Keeping | None = None) -> None:
        self.written = 0
        self.shed = 0
        self.images_shed = 0
        self.left_out = 0  # by sampling
        self._folder = folder
        self._keeping = keeping or Keeping()
        self._redact = self._keeping.redaction()
        self._segment: Segment | None = None
        self._lines = 0
        self._ends = 0.0
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._noticed = -NOTICE_SECONDS
        self._closed = False
        self._gate = threading.Condition()
        _set_up(folder)
        days = self._keeping.keep_days
        self._forgetting = None if days is None else Forgetting(folder, days)
        self._writer = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._writer.start()

    def append(self, answer: Answer, data: bytes, ms: float, request: str = "", role: str = "serve") -> str:
        """The entry's id, once it is durable, and its image too if that is kept; OSError when it can not be.

        Empty for what the sampling leaves out.
        """
        return self.submit(answer, data, ms, request, role).result()

    def submit(
        self, answer: Answer, data: bytes, ms: float, request: str = "", role: str = "serve"
    ) -> Future[str]:
        """`append` that does not wait; a disk far behind costs images first, and answers only then."""
        done: Future[str] = Future()
        done.set_running_or_notify_cancel()  # a caller that gives up must not undo the writing
        if not self._keeping.samples(answer.image):
            self.left_out += 1
            done.set_result("")
            return done
        with self._gate:
            if self._closed:
                raise RuntimeError("the journal is closed")
            kept = data if self._takes(len(data)) else None
            waiting = _Waiting(answer, kept, ms, request, role, datetime.now(UTC), done)
            if len(self._waiting) >= WAITING_ANSWERS:
                self._shed([waiting], OSError("the disk is too slow"))
            else:
                self._waiting.append(waiting)
                self._waiting_bytes += len(kept or b"")
                self._gate.notify()
        return done

    def close(self) -> None:
        """Writes what waits, and closes the segment."""
        with self._gate:
            self._closed = True
            self._gate.notify()
        self._writer.join()
        if self._forgetting:
            self._forgetting.close()

    def _takes(self, size: int) -> bool:
        return not self._waiting or self._waiting_bytes + size <= WAITING_BYTES

    def _write_on(self) -> None:
        while self._wait():
            self._end_old_segment()
            if batch := self._take():
                self._commit(batch)
        with contextlib.suppress(OSError):  # what can not be closed now, the next start closes
            self._end_segment()

    def _wait(self) -> bool:
        """Until there is something to write, or a segment to close; False when all is done."""
        with self._gate:
            rest = None if self._segment is None else max(0.0, self._ends - time.monotonic())
            self._gate.wait_for(lambda: self._waiting or self._closed, rest)
            return bool(self._waiting) or not self._closed

    def _take(self) -> list[_Waiting]:
        with self._gate:
            batch, self._waiting, self._waiting_bytes = self._waiting, [], 0
            return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        is_full = self._keeping.is_disk_full(self._folder)
        kept = [self._keep_image(waiting, is_full) for waiting in batch]
        try:
            ids = self._write_lines(batch, kept)
        except OSError as error:
            self._shed(batch, error)
            return
        self.written += len(batch)
        for waiting, id in zip(batch, ids, strict=True):
            waiting.done.set_result(id)

    def _keep_image(self, waiting: _Waiting, is_full: bool) -> tuple[str, str]:
        """The name of the image, and what became of it."""
        name = waiting.answer.image
        if waiting.data is None:
            return self._without_image(name, "the disk is too slow")
        data = self._redacted(waiting.data)
        if data is None:
            return name, WITHHELD
        if is_full and not images.place(self._folder / "images", name).exists():
            return self._without_image(name, "the disk is nearly full")
        kept = STORED
        if data != waiting.data:
            name, kept = hashlib.sha256(data).hexdigest(), REDACTED
        try:
            images.put(self._folder / "images", self._folder / "drafts", name, data)
        except OSError as error:
            return self._without_image(waiting.answer.image, error.strerror or str(error))
        return name, kept

    def _redacted(self, data: bytes) -> bytes | None:
        if self._redact is None:
            return data
        try:
            found = self._redact(data)
            if found is None or isinstance(found, bytes):
                return found
            raise TypeError(f"{type(found).__name__} is neither bytes nor None")
        except Exception:  # somebody else's code: what it fails on is not kept, and the journal goes on
            log.exception("journal: the redaction failed, so that image is not kept")
            return None

    def _without_image(self, name: str, reason: str) -> tuple[str, str]:
        self.images_shed += 1
        if time.monotonic() - self._noticed >= NOTICE_SECONDS:
            self._noticed = time.monotonic()
            said = "journal: %s: images are left out, answers are kept; %d so far, free its disk"
            log.warning(said, reason, self.images_shed)
        return name, SHED

    def _write_lines(self, batch: list[_Waiting], kept: list[tuple[str, str]]) -> list[str]:
        if self._segment is None or self._segment.bytes >= self._keeping.segment_bytes:
            self._end_segment()
            self._segment, self._lines = Segment(self._folder / "segments", self._folder / "drafts"), 0
            self._ends = time.monotonic() + self._keeping.segment_seconds
        entries = [self._entry(self._segment, *both) for both in zip(batch, kept, strict=True)]
        self._segment.write(b"".join(line_of(asdict(entry)) for entry in entries))
        return [entry.id for entry in entries]

    def _entry(self, segment: Segment, waiting: _Waiting, kept: tuple[str, str]) -> Entry:
        # Counted also when the write fails: a number that was once visible never names another entry.
        self._lines += 1
        answer = waiting.answer
        return Entry(
            id=f"{segment.name}-{self._lines}",
            at=f"{waiting.at:%Y-%m-%dT%H:%M:%S.%fZ}",
            image=kept[0],
            p=answer.p,
            bundle=answer.bundle,
            width=answer.width,
            height=answer.height,
            ms=round(waiting.ms, 3),
            request=waiting.request,
            role=waiting.role,
            kept=kept[1],
        )

    def _end_old_segment(self) -> None:
        if self._segment is not None and time.monotonic() >= self._ends:
            try:
                self._end_segment()
            except OSError as error:
                self._ends = time.monotonic() + self._keeping.segment_seconds
                log.warning("journal: a segment could not be closed (%s); trying again later", error)

    def _end_segment(self) -> None:
        if self._segment is not None:
            self._segment.close()
            self._segment = None

    def _shed(self, lost: list[_Waiting], error: OSError) -> None:
        self.shed += len(lost)
        for waiting in lost:
            waiting.done.set_exception(error)


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
