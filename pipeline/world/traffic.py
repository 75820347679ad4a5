"""What moves, or will again: cars, vans, buses, people on foot and on bicycles."""

import numpy as np

from pipeline.world.canvas import Canvas, Card, darker
from pipeline.world.light import Colour
from pipeline.world.thing import Thing

PAINTS: dict[str, Colour] = {
    "white": (226, 226, 224), "silver": (168, 172, 176), "grey": (104, 108, 112), "black": (36, 37, 40),
    "blue": (44, 72, 124), "red": (150, 34, 34), "green": (44, 82, 62), "beige": (176, 164, 140),
    "orange": (226, 108, 28), "yellow": (236, 180, 30),
}  # fmt: skip
PLAIN = ("white", "silver", "grey", "black", "blue", "red", "green", "beige")
_GLASS: Colour = (48, 56, 64)
_TYRE: Colour = (26, 26, 28)
_COATS: tuple[Colour, ...] = (
    (44, 48, 60), (96, 36, 40), (60, 76, 100), (120, 112, 98), (30, 30, 34), (180, 176, 170), (70, 88, 66),
)  # fmt: skip
_SKIN: tuple[Colour, ...] = ((224, 182, 154), (176, 124, 92), (112, 76, 58))


def car(canvas: Canvas, thing: Thing) -> None:
    """`style` is a paint, and "oncoming" or "parked" where that is so."""
    rng = thing.rng()
    paint = PAINTS[thing.style.split()[0]]
    width, length, height = 1.8, float(rng.uniform(3.9, 4.8)), float(rng.uniform(1.4, 1.75))
    waist, x, z = 0.58 * height, thing.x, thing.z
    canvas.shadow(x, z, width, height, length)
    _body(canvas, thing, paint, width, length, waist)
    _cabin(canvas, thing, paint, (width, length, waist, height))
    card = canvas.card(x, z)
    card.rect(-width / 2, 0.22, width / 2, 0.42, darker(paint, 0.45))
    card.rect(-0.26, 0.45, 0.26, 0.57, (214, 212, 190), reflect=0.3)
    _lights(card, thing.style, width, waist)


def van(canvas: Canvas, thing: Thing) -> None:
    """A delivery van, a lorry or a bus: a block on wheels; `size` stretches it."""
    rng = thing.rng()
    paint = PAINTS[thing.style.split()[0]]
    width, length, height = 2.1 + 0.3 * thing.size, 5.2 * thing.size, 2.2 + 0.7 * thing.size
    canvas.shadow(thing.x, thing.z, width, height, length)
    for z in (thing.z + length * 0.75, thing.z + 0.5):
        _wheels(canvas, thing, z, width, 0.46)
    canvas.box(thing.x, thing.z, width, 0.45, height, length, paint)
    card = canvas.card(thing.x, thing.z)
    if rng.random() < 0.5:
        card.rect(-width * 0.4, height * 0.55, width * 0.4, height * 0.9, _GLASS)
    else:
        card.rect(-0.02, 0.6, 0.02, height - 0.1, darker(paint, 0.6))
    _livery(canvas, thing, rng, (width, length, height))
    card.rect(-width / 2, 0.42, width / 2, 0.6, (46, 46, 48))
    _lights(card, thing.style, width, 0.9)


def walker(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    coat = PAINTS[thing.style] if thing.style else _COATS[int(rng.integers(len(_COATS)))]
    person(canvas, thing, rng, coat, (40, 44, 58))


def cyclist(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    card = canvas.card(thing.x, thing.z)
    card.rect(-0.04, 0, 0.04, 0.75, _TYRE)
    card.line([(-0.28, 0.95), (0.28, 0.95)], 0.05, (60, 60, 64))
    figure(
        card,
        _COATS[int(rng.integers(len(_COATS)))],
        (38, 38, 46),
        _SKIN[int(rng.integers(3))],
        lift=0.35,
        stride=0.1,
    )
    card.lamp(0, 0.7, 0.04, (220, 30, 24))


def person(
    canvas: Canvas,
    thing: Thing,
    rng: np.random.Generator,
    coat: Colour,
    trousers: Colour,
    stride: float | None = None,
) -> Card:
    tall = thing.size * float(rng.uniform(0.93, 1.07))
    card = canvas.card(thing.x, thing.z, tall)
    canvas.shadow(thing.x, thing.z, 0.5, 1.7, 0.2)
    figure(
        card,
        coat,
        trousers,
        _SKIN[int(rng.integers(3))],
        stride=float(rng.uniform(0.05, 0.3)) if stride is None else stride,
    )
    return card


def figure(
    card: Card, coat: Colour, trousers: Colour, skin: Colour, lift: float = 0.0, stride: float = 0.15
) -> None:
    for side in (-1, 1):
        foot = side * (0.08 + stride)
        card.poly(
            [(side * 0.02, lift + 0.9), (side * 0.19, lift + 0.9), (foot + 0.09, lift), (foot - 0.09, lift)],
            trousers,
        )
        hand = side * (0.3 + stride / 2)
        card.line(
            [(side * 0.22, lift + 1.4), (hand, lift + 1.12), (hand, lift + 0.85)], 0.11, darker(coat, 0.85)
        )
    card.poly([(-0.19, lift + 0.85), (0.19, lift + 0.85), (0.25, lift + 1.46), (-0.25, lift + 1.46)], coat)
    card.disc(0, lift + 1.62, 0.125, skin)
    card.poly(
        [(-0.12, lift + 1.64), (0.12, lift + 1.64), (0.09, lift + 1.76), (-0.09, lift + 1.76)], (56, 44, 36)
    )


def _body(canvas: Canvas, thing: Thing, paint: Colour, width: float, length: float, waist: float) -> None:
    for z in (thing.z + length - 0.9, thing.z + 0.8):
        _wheels(canvas, thing, z, width, 0.33)
    canvas.box(thing.x, thing.z, width, 0.24, waist, length, paint)


def _cabin(canvas: Canvas, thing: Thing, paint: Colour, sizes: tuple[float, float, float, float]) -> None:
    width, length, waist, height = sizes
    x, z, inner = thing.x, thing.z, width / 2 - 0.18
    side = -1 if x > canvas.camera.x else 1
    low, high = x + side * (width / 2 - 0.03), x + side * inner
    flank = [
        (low, waist, z + 0.1),
        (high, height, z + 0.75),
        (high, height, z + length * 0.55),
        (low, waist, z + length * 0.76),
    ]
    canvas.solid(flank, darker(_GLASS, 0.85))
    pillar = z + length * 0.38
    canvas.solid(
        [
            (low, waist, pillar),
            (high, height, pillar),
            (high, height, pillar + 0.1),
            (low, waist, pillar + 0.1),
        ],
        paint,
    )
    pane = [
        (x - width / 2 + 0.04, waist, z + 0.1),
        (x - inner, height, z + 0.75),
        (x + inner, height, z + 0.75),
    ]
    canvas.solid([*pane, (x + width / 2 - 0.04, waist, z + 0.1)], _GLASS)
    roof = [(x - inner, height, z + 0.75), (x + inner, height, z + 0.75)]
    canvas.solid([*roof, (x + inner, height + 0.05, z + 1.2), (x - inner, height + 0.05, z + 1.2)], paint)


def _lights(card: Card, style: str, width: float, waist: float) -> None:
    oncoming = "oncoming" in style
    dark = card.canvas.light.beam > 0 and "parked" not in style
    for x in (-width / 2 + 0.2, width / 2 - 0.2):
        if oncoming and dark:
            card.lamp(x, waist - 0.22, 0.13, (255, 248, 226), spread=3.0)
        elif oncoming:
            card.rect(x - 0.16, waist - 0.3, x + 0.16, waist - 0.14, (232, 232, 226))
        elif dark:
            card.lamp(x, waist - 0.12, 0.09, (236, 30, 20), spread=2.6)
        else:
            card.rect(x - 0.16, waist - 0.26, x + 0.16, waist - 0.06, (150, 22, 20), reflect=0.3)


def _wheels(canvas: Canvas, thing: Thing, z: float, width: float, radius: float) -> None:
    side = thing.x + (-width / 2 if thing.x > canvas.camera.x else width / 2)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rim = [(side, radius + radius * float(np.sin(a)), z + radius * float(np.cos(a))) for a in angles]
    canvas.solid(rim, _TYRE)
    for x in (-width / 2 + 0.14, width / 2 - 0.14):
        canvas.card(thing.x + x, z - radius).rect(-0.12, 0, 0.12, 2 * radius * 0.8, _TYRE)


def _livery(
    canvas: Canvas, thing: Thing, rng: np.random.Generator, sizes: tuple[float, float, float]
) -> None:
    """A stripe along the flank: delivery firms love orange as much as road menders do."""
    width, length, height = sizes
    if rng.random() < 0.6 or abs(thing.x - canvas.camera.x) < width / 2:
        return
    side = thing.x + (-width / 2 if thing.x > canvas.camera.x else width / 2)
    low, tone = (
        height * float(rng.uniform(0.3, 0.6)),
        PAINTS[("orange", "blue", "red", "yellow", "green")[int(rng.integers(5))]],
    )
    stripe = [
        (side, low, thing.z),
        (side, low + 0.5, thing.z),
        (side, low + 0.5, thing.z + length),
        (side, low, thing.z + length),
    ]
    canvas.solid(stripe, darker(tone, 0.85))
