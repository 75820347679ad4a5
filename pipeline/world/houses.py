"""What lines a street: terraces, houses, trees, lamps, guard rails."""

import numpy as np

from pipeline.world.canvas import Canvas, darker
from pipeline.world.light import Colour
from pipeline.world.thing import Thing

_WALLS: tuple[Colour, ...] = (
    (148, 84, 66), (166, 104, 78), (190, 178, 158), (206, 196, 176), (120, 116, 114), (172, 168, 164),
    (214, 178, 110), (204, 124, 76), (104, 110, 122), (224, 220, 212), (134, 70, 58), (176, 150, 122),
)  # fmt: skip
_SHOPS: tuple[Colour, ...] = (
    (54, 60, 66),
    (92, 40, 38),
    (38, 70, 58),
    (44, 52, 92),
    (120, 110, 96),
    (150, 90, 44),
)
_GLASS: Colour = (66, 80, 94)
_LIT: tuple[Colour, ...] = ((236, 196, 122), (214, 220, 206), (240, 176, 90))
_LEAVES: tuple[tuple[Colour, ...], ...] = (
    ((58, 92, 42), (76, 110, 52), (44, 74, 36)),
    ((78, 96, 50), (98, 118, 58), (60, 78, 40)),
    ((196, 126, 36), (214, 150, 50), (160, 90, 30)),
    ((188, 92, 34), (206, 116, 40), (140, 66, 30)),
)
_FINE = 45.0  # Metres beyond which single windows are not worth drawing.


def terrace(canvas: Canvas, thing: Thing) -> None:
    """A row of flats along the street: `size` metres of wall, seen at a slant."""
    rng = thing.rng()
    floors, storey = int(rng.integers(2, 7)), float(rng.uniform(2.9, 3.5))
    wall, top = _pick(rng, _WALLS), floors * storey + 0.8
    near, far = max(thing.z, 1.3), thing.z + thing.size
    outward = 12.0 if thing.x > 0 else -12.0
    canvas.solid(_face(near, thing.x, thing.x + outward, 0, top), darker(wall, 0.9))
    _gable_windows(canvas, thing, rng, (floors, storey), near)
    for start in np.arange(near, far, 7.0):
        canvas.solid(_wall(thing.x, float(start), min(float(start) + 7.05, far), 0, top), wall)
    canvas.solid(_wall(thing.x, near, far, top - 0.5, top), darker(wall, 0.7))
    _windows(canvas, thing, rng, floors, storey, (near, far))
    _shopfront(canvas, thing, rng, (near, far))


def house(canvas: Canvas, thing: Thing) -> None:
    """A house with a gable towards us and its eaves along the street."""
    rng = thing.rng()
    wall, roof = _pick(rng, _WALLS), _pick(rng, ((96, 60, 50), (72, 72, 78), (120, 84, 60), (60, 56, 58)))
    width, height, ridge = (
        float(rng.uniform(7, 11)),
        float(rng.uniform(3.2, 6.2)),
        float(rng.uniform(1.8, 3.0)),
    )
    outward = width if thing.x > 0 else -width
    near, far = max(thing.z, 2.0), max(thing.z, 2.0) + thing.size
    middle = thing.x + outward / 2
    canvas.solid(_face(near, thing.x, thing.x + outward, 0, height), wall)
    canvas.solid(
        [(thing.x, height, near), (middle, height + ridge, near), (thing.x + outward, height, near)], wall
    )
    eaves, top = (thing.x - outward * 0.05, height - 0.1), (middle, height + ridge)
    canvas.solid([(*eaves, near), (*top, near), (*top, far), (*eaves, far)], roof)
    canvas.solid(_wall(thing.x, near, far, 0, height), darker(wall, 0.86))
    _windows(canvas, thing, rng, max(1, int(height // 2.8)), 2.8, (near, far))
    for x in (0.25, 0.7):
        _window(
            canvas, rng, _face(near, thing.x + outward * x, thing.x + outward * (x + 0.15), 1.0, 2.2), near
        )


def tree(canvas: Canvas, thing: Thing) -> None:
    rng = thing.rng()
    card = canvas.card(thing.x, thing.z, thing.size)
    trunk, crown = float(rng.uniform(1.8, 2.8)), float(rng.uniform(1.2, 2.1))
    leaves = _LEAVES[int(rng.choice(4, p=(0.44, 0.24, 0.17, 0.15)))]
    canvas.shadow(thing.x, thing.z, crown * thing.size, 3.0, 1.4)
    card.poly([(-0.16, 0), (0.16, 0), (0.09, trunk + 1), (-0.09, trunk + 1)], (78, 62, 48))
    if thing.style == "bare":
        _branches(canvas, thing, rng, trunk)
        return
    spots = np.clip(rng.normal(0, 0.5, (34, 2)), -0.95, 0.95) * (1.0, 0.8) * crown
    for index, (x, y) in enumerate(sorted(spots.tolist(), key=lambda spot: -float(np.hypot(*spot)))):
        tone = darker(leaves[index % 3], 0.78 + 0.16 * (y > 0) + 0.16 * rng.random())
        card.disc(x, trunk + crown + y, float(rng.uniform(0.17, 0.38)) * crown, tone)


def street_lamp(canvas: Canvas, thing: Thing) -> None:
    card, arm = canvas.card(thing.x, thing.z), 1.6 if thing.x < 0 else -1.6
    card.line([(0, 0), (0, 6.6), (arm, 7.0)], 0.13, (92, 94, 96))
    if canvas.light.lamps:
        card.lamp(arm, 6.95, 0.16, (255, 214, 150), spread=4.5)
    else:
        card.rect(arm - 0.3, 6.9, arm + 0.3, 7.05, (120, 120, 120))


def rail(canvas: Canvas, thing: Thing) -> None:
    """`size` metres of guard rail along a highway."""
    near, far = max(thing.z, 1.3), thing.z + thing.size
    for z in np.arange(near, far, 4.0):
        canvas.solid(_wall(thing.x, float(z), float(z) + 0.15, 0, 0.7), (110, 112, 114))
    canvas.solid(_wall(thing.x, near, far, 0.45, 0.78), (168, 172, 176), reflect=0.15)
    canvas.solid(_wall(thing.x, near, far, 0.58, 0.63), (120, 124, 128))


def _windows(
    canvas: Canvas,
    thing: Thing,
    rng: np.random.Generator,
    floors: int,
    storey: float,
    span: tuple[float, float],
) -> None:
    near, far = span
    first = 1 if thing.kind == "terrace" else 0
    if near > _FINE:
        for floor in range(first, floors):
            strip = _wall(thing.x, near + 0.5, far - 0.5, floor * storey + 0.9, floor * storey + 2.2)
            canvas.solid(strip, (104, 100, 98))
        return
    pitch, width = float(rng.uniform(2.2, 3.4)), float(rng.uniform(0.9, 1.5))
    for floor in range(first, floors):
        for z in np.arange(near + 0.7, far - width, pitch):
            low = floor * storey + 0.9
            _window(canvas, rng, _wall(thing.x, float(z), float(z) + width, low, low + 1.5), float(z))


def _gable_windows(
    canvas: Canvas, thing: Thing, rng: np.random.Generator, sizes: tuple[int, float], near: float
) -> None:
    """A few windows in the end wall, which shows where the next house is missing."""
    if near < 2 or near > _FINE:
        return
    outward = 1.0 if thing.x > 0 else -1.0
    for floor in range(sizes[0]):
        for along in (1.5, 4.5, 7.5):
            left, low = thing.x + outward * along, floor * sizes[1] + 0.9
            _window(canvas, rng, _face(near, left, left + outward * 1.1, low, low + 1.5), near)


def _window(
    canvas: Canvas, rng: np.random.Generator, places: list[tuple[float, float, float]], z: float
) -> None:
    if canvas.light.lamp and rng.random() < 0.35:
        glow = darker(_pick(rng, _LIT), float(rng.uniform(0.5, 1.0)) * float(np.exp(-z / canvas.light.reach)))
        canvas.fill([canvas.camera.project(*place) for place in places], glow)
    else:
        canvas.solid(places, darker(_GLASS, float(rng.uniform(0.6, 1.5))))


def _shopfront(canvas: Canvas, thing: Thing, rng: np.random.Generator, span: tuple[float, float]) -> None:
    near, far = span
    if rng.random() < 0.35 or near > 60:
        return
    canvas.solid(_wall(thing.x, near, far, 0, 2.9), _pick(rng, _SHOPS))
    for z in np.arange(near + 0.4, far - 1.5, 2.6):
        _window(canvas, rng, _wall(thing.x, float(z), float(z) + 2.0, 0.5, 2.2), float(z))


def _branches(canvas: Canvas, thing: Thing, rng: np.random.Generator, trunk: float) -> None:
    card = canvas.card(thing.x, thing.z, thing.size)
    for _ in range(12):
        start = trunk * float(rng.uniform(0.7, 1.2))
        x, y = float(rng.normal(0, 1.2)), float(rng.uniform(0.8, 2.6))
        card.line([(0, start), (x / 2, start + y * 0.6), (x, start + y)], 0.06, (84, 72, 62))


def _wall(x: float, near: float, far: float, low: float, high: float) -> list[tuple[float, float, float]]:
    return [(x, low, near), (x, high, near), (x, high, far), (x, low, far)]


def _face(z: float, left: float, right: float, low: float, high: float) -> list[tuple[float, float, float]]:
    return [(left, low, z), (left, high, z), (right, high, z), (right, low, z)]


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]
