"""One segment on its way: its images first, then itself, then the receipt.

Killed anywhere, the next run starts the segment again and finds what is there already; a reader of the
store never meets a segment whose images are not there before it.
"""

import hashlib
import logging
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock

from inference_runtime import entries, images
from inference_runtime.ship.objects import Parcel, Store
from inference_runtime.ship.patience import patiently
from inference_runtime.ship.receipts import Receipts

log = logging.getLogger("inference_runtime")


@dataclass
class Tally:
    """What one run has done."""

    segments: int = 0
    images: int = 0
    put: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)


class Shipment:
    def __init__(self, folder: Path, store: Store, connections: int, stop: Event, tally: Tally) -> None:
        self.tally = tally
        self._counting = Lock()
        self._folder = folder
        self._store = store
        self._stop = stop
        self._receipts = Receipts(folder, store.address)
        self._threads = ThreadPoolExecutor(connections, thread_name_prefix="ship")
        # Asked about once in a run: the same picture is often in several segments.
        self._there: set[str] = set()

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)

    def ship(self, segment: Path) -> None:
        parcel = Parcel(f"segments/{segment.name}", segment.read_bytes())
        named = images_of(segment)
        missing = self._ship_images(sorted(named - self._there))
        self._there |= named - set(missing)
        self._ship_segment(parcel)
        self._receipts.write(segment.name, parcel.sha256, missing)
        self.tally.segments += 1
        self.tally.images += len(named)
        self.tally.missing += missing

    def _ship_images(self, names: list[str]) -> list[str]:
        """Those that are lost: neither here nor in the store."""
        return [
            name for name, there in zip(names, self._all(self._ship_image, names), strict=True) if not there
        ]

    def _all(self, call: Callable[[str], bool], names: Iterable[str]) -> list[bool]:
        waiting: list[Future[bool]] = [self._threads.submit(call, name) for name in names]
        done, rest = wait(waiting, return_when=FIRST_EXCEPTION)
        for one in rest:
            one.cancel()
        for one in done:
            one.result()
        return [one.result() for one in waiting]

    def _ship_image(self, sha: str) -> bool:
        name = f"images/{sha[:2]}/{sha}.jpg"
        data = self._read(sha)
        size = patiently(lambda: self._store.size(name), self._stop)
        if data is None:
            return size is not None
        # Named by its bytes and verified when it was put, so its size tells a whole one from a torn one.
        if size != len(data):
            self._put(Parcel(name, data))
        return True

    def _read(self, sha: str) -> bytes | None:
        file = images.place(self._folder / "images", sha)
        try:
            data = file.read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != sha:
            log.warning("%s: its bytes do not match its name, so it stays here; remove it", file)
            return None
        return data

    def _ship_segment(self, parcel: Parcel) -> None:
        if patiently(lambda: self._store.holds(parcel), self._stop):
            return
        if patiently(lambda: self._store.size(parcel.name), self._stop) is not None:
            log.warning("%s: %s: lies there with other bytes; replaced", self._store.address, parcel.name)
        self._put(parcel)

    def _put(self, parcel: Parcel) -> None:
        patiently(lambda: self._store.put(parcel), self._stop)
        with self._counting:
            self.tally.put += 1
            self.tally.bytes += len(parcel.data)


def images_of(segment: Path) -> set[str]:
    """Names of the images that were kept for its entries."""
    found = (one for one in entries.read(segment) if isinstance(one, entries.Entry))
    return {entry.image for entry in found if entry.has_image}
