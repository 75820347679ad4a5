"""What a journal's folder remembers of its shipping, and who may ship it now.

<journal>/shipped/<8 hex of the store>/<segment>   a receipt, written when the store holds segment and images
"""

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference_runtime.errors import Fixable
from inference_runtime.retention import is_before
from inference_runtime.segment import sync_folder, write_all


class Receipts:
    def __init__(self, journal: Path, address: str) -> None:
        self._address = address
        self._folder = journal / "shipped" / hashlib.sha256(address.encode()).hexdigest()[:8]

    def has(self, segment: str) -> bool:
        return (self._folder / segment).exists()

    def is_before(self, segment: str, old: float) -> bool:
        """Whether it was shipped, and that long ago."""
        return is_before(self._folder / segment, old)

    def write(self, segment: str, sha256: str, missing: list[str]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        receipt = {"store": self._address, "sha256": sha256, "missing": missing}
        draft = self._folder / f".{segment}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            write_all(handle, json.dumps(receipt).encode() + b"\n")
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.rename(self._folder / segment)
        sync_folder(self._folder)

    def remove(self, segment: str) -> None:
        (self._folder / segment).unlink(missing_ok=True)


@contextmanager
def alone(journal: Path) -> Iterator[None]:
    """One ship per journal; a killed one leaves no lock behind, for the kernel holds it."""
    try:
        handle = os.open(journal / "ship.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Fixable(f"journal {journal}: {error.strerror}; name the folder that `serve` writes") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pid = os.pread(handle, 20, 0).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise Fixable(f"journal {journal}: is shipped already by process {pid}; end that one first") from None
    try:
        os.ftruncate(handle, 0)
        os.pwrite(handle, b"%d\n" % os.getpid(), 0)
        yield
    finally:
        with contextlib.suppress(OSError):
            os.close(handle)
