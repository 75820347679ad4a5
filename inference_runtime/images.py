"""A folder of images, each named by the sha256 of its bytes and so written once."""

import os
import secrets
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from inference_runtime.segment import sync_folder, write_all

# At once: nearly twice as many a second as one after the other (measured).
SYNCS = 8


def place(images: Path, sha: str) -> Path:
    """Always `.jpg`, whatever the bytes are: who has the hash can find the file."""
    return images / sha[:2] / f"{sha}.jpg"


@dataclass(frozen=True)
class _Draft:
    sha: str
    handle: int
    draft: Path
    file: Path


class Writer:
    """A kill leaves at most drafts. One thread at a time."""

    def __init__(self, images: Path, drafts: Path) -> None:
        self._images, self._drafts = images, drafts
        self._syncing = ThreadPoolExecutor(SYNCS, thread_name_prefix="sync")

    def put(self, group: Mapping[str, bytes]) -> dict[str, OSError]:
        """Each image is on disk and under its name when this returns, or named here with the reason."""
        failed: dict[str, OSError] = {}
        drafts: list[_Draft] = []
        for sha, data in group.items():
            try:
                if not self._is_there(sha):
                    drafts.append(self._drafted(sha, data))
            except OSError as error:
                failed[sha] = error
        for draft, reason in zip(drafts, self._syncing.map(_settled, drafts), strict=True):
            if reason:
                failed[draft.sha] = reason
        return failed | self._synced([sha for sha in group if sha not in failed])

    def close(self) -> None:
        self._syncing.shutdown()

    def _is_there(self, sha: str) -> bool:
        file = place(self._images, sha)
        try:
            # Touched, so that retention does not take what was asked about again.
            os.utime(file)
            return True
        except FileNotFoundError:
            if not file.parent.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(self._images)
            return False

    def _drafted(self, sha: str, data: bytes) -> _Draft:
        draft = self._drafts / f"{sha}.{secrets.token_hex(4)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            write_all(handle, data)
        except OSError:
            os.close(handle)
            draft.unlink(missing_ok=True)
            raise
        return _Draft(sha, handle, draft, place(self._images, sha))

    def _synced(self, shas: list[str]) -> dict[str, OSError]:
        """The names, once for each folder; also of what was there, for another may have put it just now."""
        failed: dict[str, OSError] = {}
        for folder in {place(self._images, sha).parent for sha in shas}:
            try:
                sync_folder(folder)
            except OSError as error:
                failed |= {sha: error for sha in shas if place(self._images, sha).parent == folder}
        return failed


def _settled(draft: _Draft) -> OSError | None:
    try:
        os.fsync(draft.handle)
        draft.draft.rename(draft.file)
    except OSError as error:
        draft.draft.unlink(missing_ok=True)
        return error
    finally:
        os.close(draft.handle)
    return None
