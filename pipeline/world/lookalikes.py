"""What wears the colours of roadwork and is none, to fool whoever only looks for orange."""

import numpy as np

from pipeline.world.canvas import Canvas, Card, darker
from pipeline.world.light import Colour
from pipeline.world.thing import Thing

_ORANGE: Colour = (234, 110, 30)
_RED: Colour = (200, 40, 36)
_WHITE: Colour = (230, 230, 226)
_YELLOW: Colour = (240, 188, 36)
_POST: Colour = (120, 122, 124)


def hydrant(canvas: Canvas, thing: Thing) -> None:
    tone = (_RED, _YELLOW, _ORANGE)[int(thing.rng().integers(3))]
    card = canvas.card(thing.x, thing.z)
    canvas.shadow(thing.x, thing.z, 0.4, 0.8, 0.25)
    card.rect(-0.2, 0, 0.2, 0.1, darker(tone, 0.7))
    card.rect(-0.13, 0.1, 0.13, 0.62, tone)
    card.rect(-0.25, 0.36, 0.25, 0.5, darker(tone, 0.85))
    card.disc(0, 0.64, 0.14, tone)
    card.rect(-0.04, 0.7, 0.04, 0.84, (200, 200, 196))


def awning(canvas: Canvas, thing: Thing) -> None:
    """A shop's canvas over the pavement, often striped in orange and white."""
    rng = thing.rng()
    first = (_ORANGE, _RED, _YELLOW, _ORANGE)[int(rng.integers(4))]
    second = _WHITE if rng.random() < 0.65 else darker(first, 0.85)
    out = -1.3 if thing.x > 0 else 1.3
    near = max(thing.z, 1.6)
    for index in range(round(4 * thing.size)):
        z = near + 0.55 * index
        colour = second if index % 2 else first
        canvas.solid(
            [
                (thing.x, 3.1, z),
                (thing.x, 3.1, z + 0.56),
                (thing.x + out, 2.4, z + 0.56),
                (thing.x + out, 2.4, z),
            ],
            colour,
        )
        canvas.solid(
            [
                (thing.x + out, 2.4, z),
                (thing.x + out, 2.4, z + 0.56),
                (thing.x + out, 2.15, z + 0.56),
                (thing.x + out, 2.15, z),
            ],
            darker(colour, 0.8),
        )


def shop_sign(canvas: Canvas, thing: Thing) -> None:
    """A panel that sticks out from the wall: bright, with something dark written on it."""
    rng = thing.rng()
    tone = (_ORANGE, _YELLOW, _RED, _ORANGE)[int(rng.integers(4))]
    card, low = canvas.card(thing.x, thing.z, thing.size), float(rng.uniform(2.3, 3.4))
    width, height = float(rng.uniform(0.7, 1.5)), float(rng.uniform(0.6, 1.6))
    if canvas.light.beam > 0 and rng.random() < 0.6:
        card.lamp(0, low + height / 2, 0.2 * min(width, height), tone, spread=2.5)
    card.rect(-width / 2, low, width / 2, low + height, tone, reflect=0.4)
    for y in np.arange(low + 0.15, low + height - 0.15, 0.28):
        card.rect(
            -width * 0.38, float(y), width * float(rng.uniform(0.1, 0.38)), float(y) + 0.12, (40, 32, 32)
        )


def traffic_sign(canvas: Canvas, thing: Thing) -> None:
    """Permanent signs: a yellow diamond, a triangle on white, a stop sign, a no-entry."""
    rng = thing.rng()
    card, low = canvas.card(thing.x, thing.z, thing.size), float(rng.uniform(1.5, 2.2))
    card.rect(-0.04, 0, 0.04, low + 0.3, _POST)
    kind = int(rng.integers(5))
    if kind <= 1:
        _diamond(card, low + 0.55, 0.6, (24, 24, 24))
        _diamond(card, low + 0.55, 0.56, _YELLOW)
        card.line([(0, low + 0.3), (0, low + 0.55), (0.14, low + 0.75)], 0.09, (22, 22, 22))
    elif kind == 2:
        card.poly([(-0.55, low), (0.55, low), (0, low + 0.96)], _RED, reflect=0.8)
        card.poly([(-0.36, low + 0.1), (0.36, low + 0.1), (0, low + 0.72)], _WHITE, reflect=0.8)
        card.rect(-0.04, low + 0.18, 0.04, low + 0.46, (24, 24, 24))
    elif kind == 3:
        angles = np.arange(8) * np.pi / 4 + np.pi / 8
        card.poly(
            [(0.45 * float(np.cos(a)), low + 0.45 + 0.45 * float(np.sin(a))) for a in angles],
            _RED,
            reflect=0.8,
        )
        card.rect(-0.28, low + 0.37, 0.28, low + 0.53, _WHITE, reflect=0.8)
    else:
        card.disc(0, low + 0.4, 0.38, _RED, reflect=0.8)
        card.rect(-0.26, low + 0.34, 0.26, low + 0.46, _WHITE, reflect=0.8)


def bin(canvas: Canvas, thing: Thing) -> None:
    tone = (_ORANGE, _ORANGE, _YELLOW)[int(thing.rng().integers(3))]
    canvas.shadow(thing.x, thing.z, 0.6, 1.0, 0.5)
    canvas.box(thing.x, thing.z, 0.6, 0.08, 1.0, 0.6, tone)
    card = canvas.card(thing.x, thing.z)
    card.rect(-0.34, 0.95, 0.34, 1.07, darker(tone, 0.7))
    card.rect(-0.2, 0.45, 0.2, 0.7, _WHITE)


def shrub(canvas: Canvas, thing: Thing) -> None:
    """A pointed bush in autumn: a cone that grows."""
    rng = thing.rng()
    card, tall = canvas.card(thing.x, thing.z), float(rng.uniform(0.7, 1.5))
    tone = ((206, 108, 34), (190, 84, 30), (216, 150, 44))[int(rng.integers(3))]
    canvas.shadow(thing.x, thing.z, 0.6, tall, 0.4)
    card.rect(-0.24, 0, 0.24, 0.16, (96, 66, 50))
    for share in np.linspace(0.1, 0.95, 9):
        spread = 0.3 * (1.05 - float(share))
        card.disc(
            float(rng.normal(0, 0.04)),
            tall * float(share),
            max(0.06, spread),
            darker(tone, float(rng.uniform(0.8, 1.15))),
        )


def bollards(canvas: Canvas, thing: Thing) -> None:
    """A row of permanent posts with bands, along the kerb."""
    rng = thing.rng()
    tone = (_RED, _ORANGE, (60, 60, 64))[int(rng.integers(3))]
    for index in reversed(range(round(3 * thing.size))):
        card = canvas.card(thing.x, thing.z + 1.8 * index)
        card.rect(-0.07, 0, 0.07, 0.95, tone, reflect=0.3)
        card.rect(-0.07, 0.66, 0.07, 0.8, _WHITE, reflect=0.7)


def boom(canvas: Canvas, thing: Thing) -> None:
    """The red and white pole at the entrance of a car park, raised or down."""
    rng = thing.rng()
    card, side = canvas.card(thing.x, thing.z), 1.0 if thing.x < 0 else -1.0
    canvas.box(thing.x, thing.z, 0.4, 0, 1.05, 0.4, (224, 176, 40))
    rise = float(rng.choice((0.0, 0.9, 1.3)))
    for index in range(8):
        near, far = 0.4 * index, 0.4 * (index + 1)
        run, climb = side * float(np.cos(rise)), float(np.sin(rise))
        colour = _WHITE if index % 2 else _RED
        card.line([(run * near, 0.95 + climb * near), (run * far, 0.95 + climb * far)], 0.13, colour)


def parasol(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    tone = (_ORANGE, _YELLOW, _RED)[int(rng.integers(3))]
    card = canvas.card(thing.x, thing.z)
    card.rect(-0.03, 0, 0.03, 2.2, _POST)
    for index in range(4):
        left, right = -1.1 + 0.55 * index, -0.55 + 0.55 * index
        card.poly(
            [(left, 2.05), (right, 2.05), (0, 2.6)], _WHITE if index % 2 and rng.random() < 0.6 else tone
        )


def banner(canvas: Canvas, thing: Thing) -> None:
    """A striped advertising board on two feet."""
    rng = thing.rng()
    card, tone = canvas.card(thing.x, thing.z), (_ORANGE, _RED, _YELLOW)[int(rng.integers(3))]
    canvas.shadow(thing.x, thing.z, 0.8, 1.1, 0.3)
    card.rect(-0.4, 0.05, 0.4, 1.15, _WHITE)
    card.rect(-0.36, 0.62, 0.36, 1.1, tone)
    for y in (0.2, 0.35, 0.5):
        card.rect(-0.3, y, 0.26, y + 0.06, (90, 90, 94))


def _diamond(card: Card, y: float, half: float, colour: Colour) -> None:
    card.poly([(0, y - half), (half, y), (0, y + half), (-half, y)], colour, reflect=0.8)
