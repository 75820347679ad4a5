"""Paints a fresh street under a case's conditions: no weights, no account, milliseconds."""

from collections.abc import Sequence

from pipeline.synthesize.order import Declined, Mode, Order, Painting
from pipeline.world import base, conditions, paint, scene


class Procedural:
    modes: frozenset[Mode] = frozenset({"text"})
    batch = 1

    def price(self, order: Order) -> float:
        return 0.0

    def paint(self, orders: Sequence[Order]) -> list[Painting | Declined]:
        return [_painted(order) for order in orders]


def _painted(order: Order) -> Painting:
    street = scene.scene(order.seed, order.label, _pinned(order))
    return Painting(base.jpeg(paint.paint(street)), "street", None, 0.0)


def _pinned(order: Order) -> set[str]:
    """The conditions of the order that this painter knows; without roadwork there is no layout of it."""
    known = set(order.tags) & scene.TAGS
    return known if order.label else known - set(conditions.LAYOUTS)
