"""Rounds of shipping: all that is closed now, and with --follow what closes later."""

import contextlib
import logging
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from inference_runtime import images, segment
from inference_runtime.errors import Fixable
from inference_runtime.retention import forget_images
from inference_runtime.ship import retention
from inference_runtime.ship.address import canonical, store_at
from inference_runtime.ship.objects import Store, StoreError
from inference_runtime.ship.patience import Stopped, patiently
from inference_runtime.ship.receipts import Receipts, alone
from inference_runtime.ship.shipment import Shipment, Tally, images_of

LONGEST_PAUSE = 300.0
SAY_SECONDS = 5.0

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    journal: Path
    store: str
    follow: bool = False
    every: float = 10.0
    keep_days: float | None = None
    connections: int = 8


def run(order: Order) -> Tally:
    """Ships what is closed; with `follow` until SIGTERM or SIGINT."""
    _check_journal(order)
    with alone(order.journal), _stoppable() as stop:
        total = Tally()
        with contextlib.suppress(Stopped):
            _round(order, total, stop, thorough=True)
            while order.follow and not stop.wait(order.every):
                _round_or_wait(order, total, stop)
        return total


def waiting(order: Order) -> tuple[list[Path], int, int]:
    """Closed segments without a receipt, how many images they name, and the bytes of both that lie here."""
    _check_journal(order)
    receipts = Receipts(order.journal, canonical(order.store))
    segments = [file for file in _closed(order.journal) if not receipts.has(file.name)]
    names = set().union(*map(images_of, segments))
    places = [images.place(order.journal / "images", name) for name in names]
    sizes = (file.stat().st_size for file in [*segments, *places] if file.exists())
    return segments, len(names), sum(sizes)


def _round(order: Order, total: Tally, stop: Event, thorough: bool = False) -> None:
    receipts = Receipts(order.journal, canonical(order.store))
    segment.recover(order.journal / "segments")
    due = [file for file in _closed(order.journal) if not receipts.has(file.name)]
    if due:
        _ship_all(due, _checked_store(order, stop), order, total, stop)
    if order.keep_days is not None:
        _forget(order, receipts, order.keep_days, thorough)


def _forget(order: Order, receipts: Receipts, keep_days: float, thorough: bool) -> None:
    gone = retention.forget_shipped(
        order.journal, receipts, lambda: store_at(order.store, order.connections), keep_days
    )
    # At a start also what a kill left between a segment's going and that of its images.
    if gone or thorough:
        forget_images(order.journal, keep_days)


def _checked_store(order: Order, stop: Event) -> Store:
    # A new one each round: credentials that were renewed meanwhile are read again.
    store = store_at(order.store, order.connections)
    patiently(store.check, stop)
    return store


def _ship_all(due: list[Path], store: Store, order: Order, total: Tally, stop: Event) -> None:
    shipment = Shipment(order.journal, store, order.connections, stop, total)
    try:
        _ship_each(due, shipment)
    finally:
        shipment.close()


def _ship_each(due: list[Path], shipment: Shipment) -> None:
    said = time.monotonic()
    for number, file in enumerate(due, 1):
        with contextlib.suppress(FileNotFoundError):  # a retention of its own took it
            shipment.ship(file)
        if time.monotonic() - said > SAY_SECONDS or number == len(due):
            said = time.monotonic()
            log.info("ship: %d of %d segments; %s", number, len(due), summary(shipment.tally))


def summary(tally: Tally) -> str:
    done = f"{tally.segments} segments naming {tally.images} images"
    sent = f"{tally.put} objects of {tally.bytes / 1e6:.1f} MB put"
    lost = f", {len(tally.missing)} images lost" if tally.missing else ""
    return f"{done}, {sent}{lost}"


def _round_or_wait(order: Order, total: Tally, stop: Event) -> None:
    """A follower outlives what a person has yet to mend: it says so, and comes back."""
    pause = order.every
    while True:
        try:
            _round(order, total, stop)
            return
        except StoreError as error:
            pause = min(LONGEST_PAUSE, 2 * pause)
            log.error("%s; trying again in %.0f s", error, pause)
        if stop.wait(pause):
            raise Stopped


def _check_journal(order: Order) -> None:
    if not (order.journal / "segments").is_dir():
        raise Fixable(f"journal {order.journal}: is none; name the folder that `serve` writes")
    if not order.store.startswith("s3://") and Path(order.store).resolve() == order.journal.resolve():
        raise Fixable(f"store {order.store}: is the journal itself; name another folder")


def _closed(folder: Path) -> list[Path]:
    return sorted((folder / "segments").glob(f"*{segment.CLOSED}"))


@contextmanager
def _stoppable() -> Iterator[Event]:
    """Set by SIGTERM and SIGINT; the object under way is finished first."""
    stop = Event()
    before = {
        number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def progress_to_stderr() -> None:
    logging.basicConfig(level=logging.INFO, format="inference_runtime: %(message)s", stream=sys.stderr)
