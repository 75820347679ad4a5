"""Paints a fresh street under a case's conditions: no weights, no account, milliseconds."""

from pipeline.synthesize.order import Order
from pipeline.world import base, conditions, paint, scene


def paint_order(order: Order) -> bytes:
    return base.jpeg(paint.paint(scene.scene(order.seed, order.label, _pinned(order))))


def _pinned(order: Order) -> set[str]:
    """The conditions of the case that this painter knows; without roadwork there is no layout of it."""
    known = set(order.tags) & scene.TAGS
    return known if order.label else known - set(conditions.LAYOUTS)
