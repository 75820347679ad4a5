"""What a journal may forget because the store has it."""

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path

from inference_runtime.retention import DAY
from inference_runtime.segment import CLOSED
from inference_runtime.ship.objects import Parcel, Store, Unsteady
from inference_runtime.ship.receipts import Receipts

log = logging.getLogger("inference_runtime")


def forget_shipped(folder: Path, receipts: Receipts, reach: Callable[[], Store], keep_days: float) -> bool:
    """Removes segments that the store has had for so long; whether there were any."""
    old = time.time() - keep_days * DAY
    closed = sorted((folder / "segments").glob(f"*{CLOSED}"))
    due = [file for file in closed if receipts.is_before(file.name, old)]
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
