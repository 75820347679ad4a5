"""The door up: every answer with its image, on disk before it counts as journalled.

<folder>/segments/<UTC stamp>-<8 hex>.open   lines "<crc32> <json>", `.log` once closed
<folder>/images/ab/<sha256>.jpg              there before the first line that names it
"""

import contextlib
import logging
import threading
import time
from concurrent.futures import Future
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from inference_runtime.album import Album, Kept
from inference_runtime.entries import Broken, Entry, read, segments
from inference_runtime.errors import Fixable
from inference_runtime.keeping import Keeping
from inference_runtime.predictor import Answer
from inference_runtime.retention import Forgetting
from inference_runtime.segment import Segment, line_of, recover

__all__ = ["Broken", "Entry", "Journal", "read", "segments"]

WAITING_BYTES = 64 << 20
WAITING_ANSWERS = 50_000
OLD_SECONDS = 600
# A group shares its syncs; a larger one holds as many files open, and its first waits for its last.
GROUP = 64

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
        self.left_out = 0  # by sampling
        self._folder = folder
        self._keeping = keeping or Keeping()
        self._segment: Segment | None = None
        self._lines = 0
        self._ends = 0.0
        self._waiting: list[_Waiting] = []
        self._waiting_bytes = 0
        self._closed = False
        self._nothing: Future[str] = Future()  # one for all that is left out
        self._nothing.set_result("")
        self._gate = threading.Condition()
        _set_up(folder)
        self._album = Album(folder, self._keeping)
        days = self._keeping.keep_days
        self._forgetting = None if days is None else Forgetting(folder, days)
        self._writer = threading.Thread(target=self._write_on, name="journal", daemon=True)
        self._writer.start()

    @property
    def images_shed(self) -> int:
        return self._album.shed

    def append(self, answer: Answer, data: bytes, ms: float, request: str = "", role: str = "serve") -> str:
        """The entry's id, once it is durable, and its image too if that is kept; OSError when it can not be.

        Empty for what the sampling leaves out.
        """
        return self.submit(answer, data, ms, request, role).result()

    def submit(
        self, answer: Answer, data: bytes, ms: float, request: str = "", role: str = "serve"
    ) -> Future[str]:
        """`append` that does not wait; a disk far behind costs images first, and answers only then."""
        if not self._keeping.samples(answer.image):
            self.left_out += 1
            return self._nothing
        done: Future[str] = Future()
        done.set_running_or_notify_cancel()  # a caller that gives up must not undo the writing
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
        self._album.close()
        if self._forgetting:
            self._forgetting.close()

    def _takes(self, size: int) -> bool:
        return not self._waiting or self._waiting_bytes + size <= WAITING_BYTES

    def _write_on(self) -> None:
        while self._wait():
            self._end_old_segment()
            self._commit(self._take())
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
            batch, self._waiting = self._waiting[:GROUP], self._waiting[GROUP:]
            self._waiting_bytes -= sum(len(waiting.data or b"") for waiting in batch)
            return batch

    def _commit(self, batch: list[_Waiting]) -> None:
        if not batch:
            return
        kept = self._album.keep([(waiting.answer.image, waiting.data) for waiting in batch])
        try:
            ids = self._write_lines(batch, kept)
        except OSError as error:
            self._shed(batch, error)
            return
        self.written += len(batch)
        for waiting, id in zip(batch, ids, strict=True):
            waiting.done.set_result(id)

    def _write_lines(self, batch: list[_Waiting], kept: list[Kept]) -> list[str]:
        if self._segment is None or self._segment.bytes >= self._keeping.segment_bytes:
            self._end_segment()
            self._segment, self._lines = Segment(self._folder / "segments", self._folder / "drafts"), 0
            self._ends = time.monotonic() + self._keeping.segment_seconds
        entries = [self._entry(self._segment, *both) for both in zip(batch, kept, strict=True)]
        self._segment.write(b"".join(line_of(entry.said()) for entry in entries))
        return [entry.id for entry in entries]

    def _entry(self, segment: Segment, waiting: _Waiting, kept: Kept) -> Entry:
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
            **(asdict(answer.advice) if answer.advice else {}),
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
