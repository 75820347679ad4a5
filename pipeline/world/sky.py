"""Everything above the horizon that is too far away to stand anywhere."""

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.world.canvas import HEIGHT, WIDTH, Canvas, mixed
from pipeline.world.conditions import Conditions
from pipeline.world.light import Colour

_SKIES: dict[str, tuple[tuple[Colour, Colour], ...]] = {
    "day": (
        ((78, 134, 200), (190, 212, 230)),
        ((104, 158, 214), (214, 224, 230)),
        ((60, 110, 176), (176, 204, 232)),
    ),
    "dusk": (
        ((66, 70, 112), (230, 150, 104)),
        ((90, 84, 120), (216, 172, 150)),
        ((52, 58, 96), (190, 120, 110)),
    ),
    "night": (((10, 12, 24), (44, 40, 48)), ((14, 16, 26), (62, 54, 52)), ((6, 8, 18), (28, 32, 48))),
}
_GREY: dict[str, tuple[Colour, Colour]] = {
    "day": ((166, 172, 180), (208, 210, 212)),
    "dusk": ((96, 94, 108), (150, 134, 132)),
    "night": ((18, 19, 25), (48, 46, 50)),
}


def sky(canvas: Canvas, conditions: Conditions, rng: np.random.Generator) -> None:
    top, bottom = _SKIES[conditions.hour][int(rng.integers(3))]
    if conditions.weather != "clear":
        top, bottom = _GREY[conditions.hour]
    if conditions.weather == "fog":
        top, bottom = mixed(top, canvas.light.air, 0.8), canvas.light.air
    rows = int(np.clip(canvas.camera.horizon + 3, 1, HEIGHT))
    share = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None] ** 1.3
    gradient = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    canvas.pixels[:rows] = np.clip(gradient + _clouds(conditions, rows, rng), 0, 255)


def backdrop(canvas: Canvas, kind: str, rng: np.random.Generator) -> None:
    """Hills behind a highway, roofs behind a town, both pale with distance."""
    for depth in (420.0, 240.0):
        colour = (112, 124, 116) if kind == "highway" else (132, 134, 140)
        shade = canvas.light.shade(mixed(colour, canvas.light.air, 0.35), 0.0, depth)
        outline = _hills(rng) if kind == "highway" else _roofs(rng)
        scale = 400 / depth
        points = [(x, canvas.camera.horizon + 2 - height * scale) for x, height in outline]
        canvas.fill([(0, canvas.camera.horizon + 3), *points, (WIDTH, canvas.camera.horizon + 3)], shade)


def _clouds(conditions: Conditions, rows: int, rng: np.random.Generator) -> NDArray[np.float32]:
    coarse = rng.standard_normal((5, 7), np.float32) + 0.0
    fine = rng.standard_normal((14, 18), np.float32) * 0.45
    shape = (WIDTH // 4, max(1, rows // 4))
    soft = cv2.resize(coarse, shape, interpolation=cv2.INTER_CUBIC) + cv2.resize(
        fine, shape, interpolation=cv2.INTER_CUBIC
    )
    strength = {"day": 46.0, "dusk": 26.0, "night": 6.0}[conditions.hour]
    clouds = (
        np.clip(soft - rng.uniform(-0.2, 1.2), 0, 1)
        * strength
        * (1.0 if conditions.weather == "clear" else 0.5)
    )
    whole: NDArray[np.float32] = cv2.resize(clouds, (WIDTH, rows))[:, :, None].astype(np.float32)
    return whole


def _hills(rng: np.random.Generator) -> list[tuple[float, float]]:
    x = np.linspace(0, WIDTH, 41)
    waves = np.zeros_like(x)
    for _ in range(3):
        waves += rng.uniform(2, 9) * np.sin(x / rng.uniform(40, 160) + rng.uniform(0, 6))
    return [(float(px), float(max(1.0, 12 + height))) for px, height in zip(x, waves, strict=True)]


def _roofs(rng: np.random.Generator) -> list[tuple[float, float]]:
    outline: list[tuple[float, float]] = []
    x = 0.0
    while x < WIDTH:
        width, height = float(rng.uniform(14, 46)), float(rng.uniform(4, 26))
        outline += [(x, height), (x + width, height)]
        x += width
    return outline
