"""What a journal may forget, because the store has it or because nobody wants it kept."""

import contextlib
import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from inference_runtime import images, journal
from inference_runtime.segment import CLOSED
from inference_runtime.ship.objects import Parcel, Store, Unsteady
from inference_runtime.ship.receipts import Receipts

DAY = 86400.0
# An image is there before the line that names it; however short it is kept, that line gets this long to come.
GRACE_SECONDS = 600.0

log = logging.getLogger("inference_runtime")


def forget_shipped(folder: Path, receipts: Receipts, reach: Callable[[], Store], keep_days: float) -> bool:
    """Removes segments that the store has had for so long; whether there were any."""
    old = time.time() - keep_days * DAY
    due = [file for file in _closed(folder) if _is_before(receipts.shipped_at(file.name), old)]
    if due:
        store = reach()
        for file in due:
            with contextlib.suppress(Unsteady, FileNotFoundError):  # another round asks again
                _forget(file, receipts, store)
    return bool(due)


def _forget(file: Path, receipts: Receipts, store: Store) -> None:
    if store.holds(Parcel(f"segments/{file.name}", file.read_bytes())):
        file.unlink()
    else:
        log.warning("%s: the store has lost %s; it is shipped again", store.address, file.name)
    receipts.remove(file.name)


def forget_images(folder: Path, keep_days: float) -> None:
    """Removes images that are so old and that no segment names."""
    old = time.time() - max(keep_days * DAY, GRACE_SECONDS)
    # Listed before the segments are read: what is named meanwhile was touched meanwhile.
    found = [file for file in (folder / "images").rglob("*.jpg") if _is_before(_changed(file), old)]
    named = {images.place(folder / "images", name) for name in _named(journal.segments(folder))}
    for file in set(found) - named:
        # Once more, since the reading took a while: `images.put` touches what it finds already there.
        if _is_before(_changed(file), old):
            file.unlink(missing_ok=True)


def _named(segments: Iterable[Path]) -> set[str]:
    named: set[str] = set()
    for file in segments:
        with contextlib.suppress(FileNotFoundError):
            named |= {entry.image for entry in journal.read(file) if isinstance(entry, journal.Entry)}
    return named


def _closed(folder: Path) -> list[Path]:
    return sorted((folder / "segments").glob(f"*{CLOSED}"))


def _is_before(moment: float | None, old: float) -> bool:
    return moment is not None and moment <= old


def _changed(file: Path) -> float | None:
    try:
        return file.stat().st_mtime
    except FileNotFoundError:
        return None
