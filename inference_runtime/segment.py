"""One file of the journal: lines that carry their own checksum, written by one process under a lock."""

import contextlib
import fcntl
import json
import os
import secrets
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

OPEN, CLOSED = ".open", ".log"


class Segment:
    """Whoever holds the lock owns the file; it is `.open` until its owner closes it or is found dead."""

    def __init__(self, folder: Path, drafts: Path) -> None:
        self.name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(4)}"
        self.bytes = 0
        self._folder = folder
        draft = drafts / self.name
        self._handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o644)
        try:
            # Locked before it can be seen: a starting neighbour would take an unlocked one for left behind.
            fcntl.flock(self._handle, fcntl.LOCK_EX)
            draft.rename(folder / f"{self.name}{OPEN}")
            sync_folder(folder)
        except OSError:
            os.close(self._handle)
            raise

    def write(self, lines: bytes) -> None:
        """All of it is on disk when this returns; when it raises OSError, none of it counts."""
        try:
            self._forget_failed()
            write_all(self._handle, lines)
            os.fsync(self._handle)
        except OSError:
            with contextlib.suppress(OSError):
                self._forget_failed()
            raise
        self.bytes += len(lines)

    def close(self) -> None:
        self._forget_failed()
        _settle(self._handle, self._folder / f"{self.name}{OPEN}")

    def _forget_failed(self) -> None:
        # A full disk took half a line; the next one must not be glued to it.
        os.ftruncate(self._handle, self.bytes)


def recover(folder: Path) -> None:
    """Closes what killed processes left open; a segment whose owner lives stays as it is."""
    for file in sorted(folder.glob(f"*{OPEN}")):
        try:
            handle = os.open(file, os.O_RDWR)
        except FileNotFoundError:
            continue  # its owner closed it, or another start recovered it, since the listing
        if _is_left_behind(handle, file):
            _drop_unfinished_line(handle)
            _settle(handle, file)
        else:
            os.close(handle)


def line_of(entry: Mapping[str, Any]) -> bytes:
    text = json.dumps(entry, separators=(",", ":"), allow_nan=False).encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def entry_of(line: bytes) -> dict[str, Any]:
    """What `line_of` was given; ValueError says why this is no such line."""
    if not line.endswith(b"\n"):
        raise ValueError("unfinished line")
    crc, _, text = line[:-1].partition(b" ")
    if crc != b"%08x" % zlib.crc32(text):
        raise ValueError("checksum does not fit")
    entry = json.loads(text)
    if not isinstance(entry, dict):
        raise ValueError("not a JSON object")
    return entry


def write_all(handle: int, data: bytes) -> None:
    # A nearly full disk takes a part and says so only at the next call.
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _is_left_behind(handle: int, file: Path) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # Between opening and locking it may have been closed and renamed by another.
    return file.exists() and os.path.samestat(os.fstat(handle), file.stat())


def _drop_unfinished_line(handle: int) -> None:
    # It was never acknowledged, and in a closed segment it would read as damage.
    end = os.fstat(handle).st_size
    while end:
        start = max(0, end - 65536)
        newline = os.pread(handle, end - start, start).rfind(b"\n")
        if newline >= 0:
            end = start + newline + 1
            break
        end = start
    os.ftruncate(handle, end)
    os.fsync(handle)


def _settle(handle: int, file: Path) -> None:
    if os.fstat(handle).st_size:
        file.rename(file.with_suffix(CLOSED))
    else:
        file.unlink()
    os.close(handle)
    sync_folder(file.parent)
