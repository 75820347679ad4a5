"""A folder of images, each named by the sha256 of its bytes and so written once."""

import os
import secrets
from pathlib import Path

from inference_runtime.segment import sync_folder, write_all


def place(images: Path, sha: str) -> Path:
    """Always `.jpg`, whatever the bytes are: who has the hash can find the file."""
    return images / sha[:2] / f"{sha}.jpg"


def put(images: Path, drafts: Path, sha: str, data: bytes) -> None:
    """The image is on disk and under its name when this returns; a kill leaves at most a draft."""
    file = place(images, sha)
    if not file.parent.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        sync_folder(images)
    try:
        # Touched, so that retention does not take what was asked about again.
        os.utime(file)
    except FileNotFoundError:
        _write(drafts / f"{sha}.{secrets.token_hex(4)}", file, data)
    sync_folder(file.parent)


def _write(draft: Path, file: Path, data: bytes) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        write_all(handle, data)
        os.fsync(handle)
        draft.rename(file)
    except OSError:
        draft.unlink(missing_ok=True)
        raise
    finally:
        os.close(handle)
