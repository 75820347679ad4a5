"""A store that is a folder: a disk, or what is mounted as one."""

import contextlib
import errno
import hashlib
import os
import secrets
import time
from pathlib import Path

from inference_runtime.segment import sync_folder, write_all
from inference_runtime.ship.objects import Parcel, StoreError, Unsteady

# No living writer needs this long for one file.
OLD_SECONDS = 3600
# A person must do something about these; others, like a network mount that stalls, may pass.
LASTING = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOTDIR, errno.EEXIST,
    errno.EFBIG, errno.ENAMETOOLONG,
}  # fmt: skip


class Folder:
    def __init__(self, address: str) -> None:
        self.address = address
        self._root = Path(address)
        # Beside what readers list, so that no half file is ever taken for an object.
        self._drafts = self._root / "drafts"

    def check(self) -> None:
        try:
            self._drafts.mkdir(parents=True, exist_ok=True)
            probe = self._drafts / f"probe.{secrets.token_hex(4)}"
            probe.touch()
            probe.unlink()
            self._sweep()
        except OSError as error:
            raise self._refusal(error) from error

    def size(self, name: str) -> int | None:
        try:
            return (self._root / name).stat().st_size
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._refusal(error) from error

    def holds(self, parcel: Parcel) -> bool:
        try:
            with (self._root / parcel.name).open("rb") as opened:
                return hashlib.file_digest(opened, "sha256").hexdigest() == parcel.sha256
        except FileNotFoundError:
            return False
        except OSError as error:
            raise self._refusal(error) from error

    def put(self, parcel: Parcel) -> None:
        file = self._root / parcel.name
        try:
            if not file.parent.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                sync_folder(file.parent.parent)
            self._write(parcel, file)
        except OSError as error:
            raise self._refusal(error) from error

    def _write(self, parcel: Parcel, file: Path) -> None:
        draft = self._drafts / f"{file.name}.{secrets.token_hex(4)}"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            write_all(handle, parcel.data)
            os.fsync(handle)
            draft.rename(file)
        except OSError:
            draft.unlink(missing_ok=True)
            raise
        finally:
            os.close(handle)
        sync_folder(file.parent)

    def _sweep(self) -> None:
        for draft in self._drafts.iterdir():
            with contextlib.suppress(FileNotFoundError):
                if draft.stat().st_mtime < time.time() - OLD_SECONDS:
                    draft.unlink()

    def _refusal(self, error: OSError) -> Exception:
        said = f"store {self.address}: {error.strerror or error}"
        if error.errno in LASTING:
            return StoreError(f"{said}; free its disk, or name a folder that can be written")
        return Unsteady(said)
