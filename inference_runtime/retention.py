"""What a journal forgets, because it is old or because another has it."""

import contextlib
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from inference_runtime import entries, images
from inference_runtime.segment import CLOSED

DAY = 86400.0
# An image is there before the line that names it; however short it is kept, that line gets this long to come.
GRACE_SECONDS = 600.0
EVERY_SECONDS = 600.0


def forget_old(folder: Path, keep_days: float) -> None:
    """Removes closed segments that are so old, shipped or not, and their images."""
    old = time.time() - keep_days * DAY
    for file in (folder / "segments").glob(f"*{CLOSED}"):
        if is_before(file, old):
            file.unlink(missing_ok=True)
    forget_images(folder, keep_days)


def forget_images(folder: Path, keep_days: float) -> None:
    """Removes images that are so old and that no segment names."""
    old = time.time() - max(keep_days * DAY, GRACE_SECONDS)
    # Listed before the segments are read: what is named meanwhile was touched meanwhile.
    found = [file for file in (folder / "images").rglob("*.jpg") if is_before(file, old)]
    named = {images.place(folder / "images", name) for name in _named(entries.segments(folder))}
    for file in set(found) - named:
        # Once more, since the reading took a while: `images.Writer` touches what it finds already there.
        if is_before(file, old):
            file.unlink(missing_ok=True)


def is_before(file: Path, old: float) -> bool:
    """Whether it was last changed, or touched, that long ago; False for what is gone."""
    try:
        return file.stat().st_mtime <= old
    except FileNotFoundError:
        return False


class Forgetting:
    """`forget_old` again and again, beside the journal's writer, which must not wait for it."""

    def __init__(self, folder: Path, keep_days: float) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(folder, keep_days), daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self, folder: Path, keep_days: float) -> None:
        while True:
            with contextlib.suppress(OSError):  # a disk that is ill now may be well the next time
                forget_old(folder, keep_days)
            if self._stop.wait(EVERY_SECONDS):
                return


def _named(segments: Iterable[Path]) -> set[str]:
    named: set[str] = set()
    for file in segments:
        with contextlib.suppress(FileNotFoundError):
            named |= {one.image for one in entries.read(file) if isinstance(one, entries.Entry)}
    return named
