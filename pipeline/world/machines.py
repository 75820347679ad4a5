"""What a road crew drives: excavators, rollers, lorries with an arrow board."""

from pipeline.world.canvas import Canvas, Card, Point, darker
from pipeline.world.light import Colour
from pipeline.world.roadwork import AMBER, ORANGE, RED, flasher, stripes
from pipeline.world.thing import Thing

_PAINTS: tuple[Colour, ...] = ((240, 180, 30), (232, 150, 30), (228, 104, 34), (214, 196, 60))
_DARK: Colour = (44, 44, 46)
_GLASS: Colour = (70, 84, 94)


def excavator(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    paint, card = _PAINTS[int(rng.integers(4))], canvas.card(thing.x, thing.z, thing.size)
    face = 1.0 if rng.random() < 0.5 else -1.0
    reach, lift = float(rng.uniform(2.6, 3.8)), float(rng.uniform(3.2, 4.6))
    canvas.shadow(thing.x, thing.z, 3.2 * thing.size, 2.5, 1.5)
    _tracks(card, 1.75)
    _mirrored(card, face, [(-1.7, 1.0), (1.2, 1.0), (1.2, 2.0), (-1.5, 2.2), (-1.8, 1.8)], paint)
    _mirrored(card, face, [(-1.85, 1.0), (-1.2, 1.0), (-1.2, 2.1), (-1.85, 1.9)], darker(paint, 0.7))
    _mirrored(card, face, [(0.1, 1.2), (1.25, 1.2), (1.15, 2.9), (0.2, 2.9)], darker(paint, 0.85))
    _mirrored(card, face, [(0.25, 1.9), (1.13, 1.9), (1.05, 2.75), (0.3, 2.75)], _GLASS)
    elbow, tip = (face * reach * 0.72, lift), (face * reach, float(rng.uniform(0.8, 2.2)))
    card.line([(face * 1.0, 1.7), (face * reach * 0.4, lift * 0.86), elbow], 0.42, paint)
    card.line([elbow, tip], 0.3, darker(paint, 0.9))
    bucket = [(0.0, 0.1), (0.45, -0.1), (0.3, -0.75), (-0.45, -0.8), (-0.5, -0.2)]
    card.poly([(tip[0] + face * x, tip[1] + y) for x, y in bucket], _DARK)


def roller(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    paint, card = _PAINTS[int(rng.integers(4))], canvas.card(thing.x, thing.z, thing.size)
    face = 1.0 if rng.random() < 0.5 else -1.0
    canvas.shadow(thing.x, thing.z, 3.4 * thing.size, 2.0, 1.0)
    _mirrored(card, face, [(-1.7, 0.8), (1.5, 0.8), (1.5, 1.35), (0.4, 1.6), (-1.7, 1.6)], paint)
    card.disc(face * 1.3, 0.62, 0.62, (110, 110, 112))
    card.disc(face * 1.3, 0.62, 0.2, (70, 70, 72))
    card.disc(-face * 1.2, 0.6, 0.6, _DARK)
    card.disc(-face * 1.2, 0.6, 0.25, darker(paint, 0.9))
    for x in (-0.8, 0.5):
        card.rect(face * x - 0.05, 1.5, face * x + 0.05, 2.6, _DARK)
    card.rect(-0.95, 2.55, 0.7, 2.7, paint)
    flasher(card, 0, 2.82)


def work_truck(canvas: Canvas, thing: Thing) -> None:
    """A lorry that shields a crew: striped tail, beacons, and often an arrow board."""
    rng = thing.rng()
    paint: Colour = (ORANGE, (232, 228, 222), (240, 180, 30))[int(rng.integers(3))]
    canvas.shadow(thing.x, thing.z, 2.4, 2.4, 5.5)
    canvas.box(thing.x, thing.z + 3.4, 2.3, 0.5, 2.6, 2.0, paint)
    canvas.box(thing.x, thing.z, 2.4, 0.5, 1.5, 3.4, darker(paint, 0.9))
    card = canvas.card(thing.x, thing.z)
    for x in (-0.95, 0.95):
        card.rect(x - 0.22, 0, x + 0.22, 0.7, (26, 26, 28))
    stripes(card, -1.2, 1.2, 0.62, 0.5, RED if thing.style == "eu" else ORANGE)
    flasher(canvas.card(thing.x, thing.z + 3.4), -0.9, 2.75)
    flasher(canvas.card(thing.x, thing.z + 3.4), 0.9, 2.75)
    if rng.random() < 0.7:
        _arrow(card, 2.5, bool(rng.random() < 0.5))


def arrow_board(canvas: Canvas, thing: Thing) -> None:
    """The same arrow on a trailer of its own."""
    card = canvas.card(thing.x, thing.z, thing.size)
    canvas.shadow(thing.x, thing.z, 2.0, 2.0, 0.8)
    card.rect(-0.9, 0.35, 0.9, 0.6, ORANGE)
    for x in (-0.75, 0.75):
        card.disc(x, 0.3, 0.3, (28, 28, 30))
    for x in (-0.5, 0.5):
        card.rect(x - 0.05, 0.5, x + 0.05, 1.5, _DARK)
    _arrow(card, 1.95, bool(thing.rng().random() < 0.5))


def _arrow(card: Card, y: float, left: bool) -> None:
    card.rect(-1.15, y - 0.6, 1.15, y + 0.6, (28, 28, 30))
    side = -1 if left else 1
    spots: list[Point] = [(x * 0.26, 0.0) for x in range(-3, 4)]
    spots += [(side * (0.78 - 0.22 * step), sign * 0.17 * step) for step in (1, 2) for sign in (-1, 1)]
    for x, dy in spots:
        if card.canvas.light.beam > 0:
            card.lamp(x, y + dy, 0.075, AMBER, spread=2.0)
        else:
            card.disc(x, y + dy, 0.085, AMBER)


def _tracks(card: Card, half: float) -> None:
    card.poly(
        [(-half, 0.25), (-half + 0.25, 0), (half - 0.25, 0), (half, 0.25), (half, 0.6), (-half, 0.6)], _DARK
    )
    for x in (-0.7, -0.25, 0.2, 0.65):
        card.disc(x * half * 1.3, 0.3, 0.2, (88, 84, 80))
    card.rect(-half * 0.5, 0.6, half * 0.5, 1.0, (64, 62, 60))


def _mirrored(card: Card, face: float, points: list[Point], colour: Colour) -> None:
    card.poly([(face * x, y) for x, y in points], colour)
