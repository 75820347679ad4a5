"""Which images a journal keeps, and as what."""

import hashlib
import logging
import time
from collections.abc import Sequence
from pathlib import Path

from inference_runtime import images
from inference_runtime.entries import REDACTED, SHED, STORED, WITHHELD
from inference_runtime.images import Writer
from inference_runtime.keeping import Keeping

NOTICE_SECONDS = 60.0

log = logging.getLogger("inference_runtime")

Kept = tuple[str, str]  # the name of the image, and what became of it


class Album:
    def __init__(self, folder: Path, keeping: Keeping) -> None:
        self.shed = 0
        self._folder, self._keeping = folder, keeping
        self._redact = keeping.redaction()
        self._writer = Writer(folder / "images", folder / "drafts")
        self._noticed = -NOTICE_SECONDS

    def keep(self, group: Sequence[tuple[str, bytes | None]]) -> list[Kept]:
        """Of images by name, None for one that there was no room for; what is kept is durable then."""
        is_full = self._keeping.is_disk_full(self._folder)
        wanted = [self._wanted(name, data, is_full) for name, data in group]
        failed = self._writer.put({kept[0]: data for kept, data in wanted if data is not None})
        return [
            self._without(name, failed[kept[0]]) if data is not None and kept[0] in failed else kept
            for (name, _), (kept, data) in zip(group, wanted, strict=True)
        ]

    def close(self) -> None:
        self._writer.close()

    def _wanted(self, name: str, data: bytes | None, is_full: bool) -> tuple[Kept, bytes | None]:
        """And the bytes to be put under that name, if any."""
        if data is None:
            return self._without(name, "the disk is too slow"), None
        shown = self._redacted(data)
        if shown is None:
            return (name, WITHHELD), None
        if is_full and not images.place(self._folder / "images", name).exists():
            return self._without(name, "the disk is nearly full"), None
        if shown == data:
            return (name, STORED), data
        return (hashlib.sha256(shown).hexdigest(), REDACTED), shown

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

    def _without(self, name: str, reason: str | OSError) -> Kept:
        self.shed += 1
        if time.monotonic() - self._noticed >= NOTICE_SECONDS:
            self._noticed = time.monotonic()
            why = (reason.strerror or str(reason)) if isinstance(reason, OSError) else reason
            said = "journal: %s: images are left out, answers are kept; %d so far, free its disk"
            log.warning(said, why, self.shed)
        return name, SHED
