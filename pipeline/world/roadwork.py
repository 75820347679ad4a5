"""What a road crew sets up by hand: cones, drums, beacons, barriers, signs, fences, and the crew itself.

`style` is the region: orange and white in "us", red and white in "eu"."""

import numpy as np

from pipeline.world.canvas import Canvas, Card, darker
from pipeline.world.light import Colour
from pipeline.world.thing import Thing
from pipeline.world.traffic import person

ORANGE: Colour = (238, 104, 24)
RED: Colour = (206, 40, 34)
WHITE: Colour = (232, 232, 228)
LIME: Colour = (196, 226, 50)
AMBER: Colour = (255, 176, 40)
_STEEL: Colour = (120, 122, 124)


def cone(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    tall = float(rng.uniform(0.62, 0.95)) * thing.size
    tone = _worn(ORANGE if thing.style == "us" else (226, 66, 28), rng)
    card = canvas.card(thing.x, thing.z, tall)
    canvas.shadow(thing.x, thing.z, 0.4 * tall, tall, 0.25)
    card.rect(-0.27, 0, 0.27, 0.07, darker(tone, 0.8) if rng.random() < 0.6 else (40, 40, 42))
    slices = [
        (0.07, 0.42, tone),
        (0.42, 0.58, WHITE),
        (0.58, 0.72, tone),
        (0.72, 0.84, WHITE),
        (0.84, 1.0, tone),
    ]
    for low, high, colour in slices:
        left, top = _taper(low), _taper(high)
        card.poly([(-left, low), (left, low), (top, high), (-top, high)], colour, reflect=0.9)
        card.poly(
            [(left * 0.4, low), (left, low), (top, high), (top * 0.4, high)],
            darker(colour, 0.82),
            reflect=0.7,
        )


def drum(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    tone, card = _worn(ORANGE, rng), canvas.card(thing.x, thing.z)
    canvas.shadow(thing.x, thing.z, 0.55, 1.0, 0.4)
    card.rect(-0.34, 0, 0.34, 0.1, (38, 38, 40))
    for index, low in enumerate(np.arange(0.1, 1.0, 0.18)):
        colour, half = (WHITE if index % 2 else tone), 0.29 - 0.05 * float(low)
        card.rect(-half, float(low), half, float(low) + 0.185, colour, reflect=0.9)
        card.rect(half * 0.35, float(low), half, float(low) + 0.185, darker(colour, 0.8), reflect=0.7)
    if rng.random() < 0.4:
        flasher(card, 0, 1.08)


def beacon(canvas: Canvas, thing: Thing) -> None:
    """An upright board with slanted stripes, on a heavy foot."""
    rng = thing.rng()
    tall, card = float(rng.uniform(0.95, 1.15)), canvas.card(thing.x, thing.z)
    canvas.shadow(thing.x, thing.z, 0.4, tall, 0.3)
    card.rect(-0.28, 0, 0.28, 0.1, (44, 44, 46))
    card.rect(-0.16, 0.12, 0.16, tall, WHITE, reflect=0.8)
    slant = 0.12 if rng.random() < 0.5 else -0.12
    for low in np.arange(0.2, tall - 0.2, 0.28):
        left, right = float(low) - slant, float(low) + slant
        band = [(-0.16, left), (0.16, right), (0.16, right + 0.14), (-0.16, left + 0.14)]
        card.poly([(x, min(max(y, 0.12), tall)) for x, y in band], RED, reflect=0.8)
    if rng.random() < 0.3:
        flasher(card, 0, tall + 0.1)


def barrier(canvas: Canvas, thing: Thing) -> None:
    """A striped board on legs, two to three metres wide."""
    rng = thing.rng()
    half, card = float(rng.uniform(0.9, 1.5)), canvas.card(thing.x, thing.z)
    tone = ORANGE if thing.style == "us" and rng.random() < 0.8 else RED
    canvas.shadow(thing.x, thing.z, 2 * half, 1.0, 0.3)
    for x in (-half * 0.8, half * 0.8):
        card.rect(x - 0.05, 0, x + 0.05, 1.15, _STEEL)
        card.rect(x - 0.25, 0, x + 0.25, 0.08, (52, 52, 54))
    for low in (0.78, 0.35) if rng.random() < 0.6 else (0.7,):
        stripes(card, -half, half, low, 0.3, tone)
    if rng.random() < 0.45:
        flasher(card, -half * 0.8, 1.25)


def sign(canvas: Canvas, thing: Thing) -> None:
    """Men at work: an orange diamond in "us", a red triangle on yellow in "eu"."""
    rng = thing.rng()
    card, low = canvas.card(thing.x, thing.z, thing.size), float(rng.uniform(0.7, 1.7))
    canvas.shadow(thing.x, thing.z, 0.3, 1.8, 0.2)
    card.rect(-0.04, 0, 0.04, low + 0.4, _STEEL)
    if thing.style == "us":
        _diamond(card, low + 0.6, 0.66, (20, 20, 20))
        _diamond(card, low + 0.6, 0.62, _worn(ORANGE, rng))
    else:
        card.poly([(-0.62, low), (0.62, low), (0, low + 1.08)], RED, reflect=0.8)
        card.poly([(-0.44, low + 0.1), (0.44, low + 0.1), (0, low + 0.86)], (240, 196, 40), reflect=0.8)
    _digger(card, low + (0.5 if thing.style == "us" else 0.22), 0.8 if thing.style == "us" else 0.6)


def fence(canvas: Canvas, thing: Thing) -> None:
    """Orange mesh between posts, or a plank fence, `size` metres long, beside the road."""
    rng = thing.rng()
    card, length = canvas.card(thing.x, thing.z), 2.2 * thing.size
    for x in np.linspace(-length / 2, length / 2, 4):
        card.rect(float(x) - 0.03, 0, float(x) + 0.03, 1.15, (84, 74, 62))
    if rng.random() < 0.5:
        for y in np.arange(0.15, 1.1, 0.14):
            card.line(
                [(-length / 2, float(y)), (0, float(y) - 0.04), (length / 2, float(y))],
                0.06,
                _worn(ORANGE, rng),
            )
    else:
        for y in (0.25, 0.85):
            stripes(card, -length / 2, length / 2, y, 0.18, RED)


def worker(canvas: Canvas, thing: Thing) -> None:
    """Vest with silver bands, helmet; some hold a paddle or a shovel."""
    rng = thing.rng()
    vest = LIME if rng.random() < 0.5 else ORANGE
    trousers = vest if rng.random() < 0.3 else (48, 54, 74)
    card = person(canvas, thing, rng, vest, darker(trousers, 0.9), stride=0.1)
    for low in (0.95, 1.18):
        card.rect(-0.23, low, 0.23, low + 0.07, (222, 224, 220), reflect=1.0)
    for x in (-0.13, 0.13):
        card.rect(x - 0.03, 1.2, x + 0.03, 1.45, (222, 224, 220), reflect=1.0)
    helmet = ((240, 240, 236), (244, 196, 36), ORANGE)[int(rng.integers(3))]
    card.poly([(-0.16, 1.66), (0.16, 1.66), (0.12, 1.78), (0, 1.83), (-0.12, 1.78)], helmet)
    if rng.random() < 0.35:
        card.line([(0.34, 0.05), (0.38, 1.7)], 0.05, (140, 110, 70))
        card.disc(0.39, 1.95, 0.26, RED, reflect=0.7)
    elif rng.random() < 0.5:
        card.line([(0.36, 0.9), (0.62, 0.02)], 0.05, (140, 110, 70))


def wall(canvas: Canvas, thing: Thing) -> None:
    """A chain of plastic water-filled blocks along the lane, red and white or orange and white by turns."""
    rng = thing.rng()
    tone = _worn(ORANGE if thing.style == "us" else RED, rng)
    for index in reversed(range(max(2, round(thing.size)))):
        colour = WHITE if index % 2 else tone
        canvas.box(thing.x, thing.z + 1.6 * index, 0.5, 0, 0.85, 1.55, colour, reflect=0.4)


def trench(canvas: Canvas, thing: Thing) -> None:
    """A heap of earth beside an open cut."""
    rng = thing.rng()
    card, earth = canvas.card(thing.x, thing.z), darker((132, 100, 68), float(rng.uniform(0.75, 1.15)))
    project, width = canvas.camera.project, 1.2 * thing.size
    cut = [(-width, -2.5), (width, -2.5), (width, -0.4), (-width, -0.4)]
    canvas.stain(
        [project(thing.x + x, 0, max(2.0, thing.z + z)) for x, z in cut],
        darker((60, 48, 36), canvas.light.ambient[1]),
        0.85,
    )
    outline = [(-1.3 * width, 0.0)]
    for x in np.linspace(-1.1, 1.1, 9):
        outline.append((float(x) * width, float((1.15 - abs(x)) * width * rng.uniform(0.45, 0.7))))
    card.poly([*outline, (1.3 * width, 0)], earth)
    for x, y in rng.uniform((-0.8, 0.05), (0.8, 0.35), (7, 2)).tolist():
        card.disc(x * width, y * width, 0.09 * width, darker(earth, float(rng.uniform(0.7, 1.25))))


def stripes(card: Card, left: float, right: float, low: float, height: float, tone: Colour) -> None:
    """A board with slanted stripes."""
    card.rect(left, low, right, low + height, WHITE, reflect=0.8)
    step = height * 1.05
    for x in np.arange(left, right - step / 2, 2 * step):
        ends = [min(max(float(x) + shift, left), right) for shift in (0, step, step * 1.6, step * 0.6)]
        card.poly(
            [(ends[0], low), (ends[1], low), (ends[2], low + height), (ends[3], low + height)],
            tone,
            reflect=0.8,
        )


def flasher(card: Card, x: float, y: float) -> None:
    card.disc(x, y, 0.1, (214, 140, 30))
    if card.canvas.light.beam > 0:
        card.lamp(x, y, 0.1, AMBER, spread=3.6)


def _diamond(card: Card, y: float, half: float, colour: Colour) -> None:
    card.poly([(0, y - half), (half, y), (0, y + half), (-half, y)], colour, reflect=0.8)


def _digger(card: Card, y: float, size: float) -> None:
    """The man with the shovel."""
    black: Colour = (22, 22, 22)
    card.disc(0.02 * size, y + 0.36 * size, 0.06 * size, black)
    card.line(
        [(-0.16 * size, y - 0.2 * size), (-0.05 * size, y + 0.05 * size), (0.02 * size, y + 0.26 * size)],
        0.1 * size,
        black,
    )
    card.line([(0.02 * size, y + 0.2 * size), (0.2 * size, y - 0.12 * size)], 0.06 * size, black)
    card.poly(
        [(0.1 * size, y - 0.2 * size), (0.34 * size, y - 0.2 * size), (0.22 * size, y - 0.06 * size)], black
    )


def _taper(height: float) -> float:
    return 0.185 - 0.155 * height


def _worn(colour: Colour, rng: np.random.Generator) -> Colour:
    red, green, blue = colour
    dirt = float(rng.uniform(0.72, 1.03))
    return (
        round(red * dirt),
        round((green + int(rng.integers(-14, 26))) * dirt),
        round((blue + int(rng.integers(0, 26))) * dirt),
    )
