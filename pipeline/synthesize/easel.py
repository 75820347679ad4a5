"""Has the orders painted: nothing twice, nothing lost, and never past the budget."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inference_runtime.errors import Fixable, ImageError
from pipeline import images
from pipeline.params import PainterName, Synthesize
from pipeline.progress import Progress, say
from pipeline.synthesize import painters
from pipeline.synthesize.books import Books, Entry
from pipeline.synthesize.order import Declined, Order, Painter, PainterDown, PainterSilent, Painting

# Sums of prices are sums of floats.
DUST = 1e-9


class Spent(Exception):
    """Tonight's time or money is used up."""


@dataclass(frozen=True)
class Work:
    done: Mapping[Order, Entry]
    left: Mapping[PainterName, str]  # painters that stopped early, and why


class Easel:
    """All orders of a night, their budget, and the books that outlive a kill."""

    def __init__(self, orders: Sequence[Order], params: Synthesize, books: Books) -> None:
        self._params, self._books = params, books
        self._keys = {o: o.key(painters.settings(o.painter, params)) for o in orders}
        self._until = time.monotonic() + params.seconds

    def work(self) -> Work:
        names: list[PainterName] = list(dict.fromkeys(order.painter for order in self._keys))
        left = {name: why for name in names if (why := self._stopped(name))}
        for name, why in left.items():
            say(f"synthesize: {name}: {why}")
        entries = ((order, self._books.entry(key)) for order, key in self._keys.items())
        return Work({order: entry for order, entry in entries if entry}, left)

    def spent(self) -> float:
        return self._books.spent(self._keys.values())

    def waiting(self) -> list[Order]:
        return [order for order, key in self._keys.items() if self._books.entry(key) is None]

    def _stopped(self, name: PainterName) -> str | None:
        """Paints what this painter has not painted yet; the reason if it must stop before the end."""
        orders = [order for order in self.waiting() if order.painter == name]
        if not orders:
            return None
        try:
            painter = painters.painter(name, self._params)
            starts = range(0, len(orders), painter.batch)
            for start in Progress(starts, f"synthesize: {name}, batches painted"):
                self._paint(painter, orders[start : start + painter.batch])
        except (PainterDown, Spent) as stop:
            return str(stop)
        return None

    def _paint(self, painter: Painter, orders: Sequence[Order]) -> None:
        self._afford(sum(painter.price(order) for order in orders))
        asked = [self._books.ask(self._keys[o], o.painter, painter.price(o)) for o in orders]
        try:
            answers = painter.paint(orders)
        except PainterSilent:
            raise  # it may have been paid for what never came
        except Fixable:
            self._books.refund(asked)
            raise
        for number, order, answer in zip(asked, orders, answers, strict=True):
            self._books.answer(number, self._keys[order], _entry(order, answer))

    def _afford(self, price: float) -> None:
        if time.monotonic() >= self._until:
            raise Spent(f"the night's {self._params.seconds} s are over; the next run goes on")
        if price and self.spent() + price > self._params.usd + DUST:
            raise Spent(
                f"{self.spent():.2f} of {self._params.usd:.2f} USD are spent (params.yaml: synthesize.usd)"
            )


def _entry(order: Order, answer: Painting | Declined) -> Entry:
    if isinstance(answer, Declined):
        return Entry(None, answer.reason, order.prompt, None, None, answer.usd)
    made = (order.prompt, answer.model, answer.revision, answer.usd)
    try:
        # In the house before it is in the books.
        return Entry(images.admit(answer.data).image, None, *made)
    except ImageError as error:
        return Entry(None, f"no picture: {error}", *made)
