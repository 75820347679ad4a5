"""The road and what lies beside it: surfaces, markings, light pools, and the haze over them."""

import cv2
import numpy as np

from pipeline.world.canvas import HEIGHT, WIDTH, Canvas, mixed
from pipeline.world.conditions import Conditions
from pipeline.world.light import Colour
from pipeline.world.thing import Street

_NEAR, _END = 1.3, 500.0
_SNOW: Colour = (226, 230, 236)
_WHITE: Colour = (214, 214, 208)
_YELLOW: Colour = (214, 168, 52)
_VERGES: dict[str, tuple[Colour, ...]] = {
    "city": ((138, 134, 128), (150, 140, 126), (120, 120, 122)),
    "suburb": ((84, 112, 58), (104, 118, 66), (128, 116, 76)),
    "highway": ((94, 116, 62), (150, 134, 92), (120, 124, 70)),
}
_PAVEMENTS: tuple[Colour, ...] = ((158, 154, 148), (146, 140, 134), (166, 152, 138))


def ground(canvas: Canvas, street: Street, conditions: Conditions, rng: np.random.Generator) -> None:
    """Everything that lies flat, in daylight first and then lit as a whole."""
    snow = float(rng.uniform(0.45, 0.9)) if conditions.weather == "snow" else 0.0
    grey = int(rng.integers(62, 118))
    asphalt = (grey + int(rng.integers(-3, 9)), grey, grey + int(rng.integers(-6, 7)))
    top = int(np.clip(canvas.camera.horizon, 0, HEIGHT - 1))
    canvas.pixels[top:] = mixed(_pick(rng, _VERGES[street.kind]), _SNOW, snow)
    _surfaces(canvas, street, mixed(asphalt, _SNOW, 0.5 * snow), mixed(_pick(rng, _PAVEMENTS), _SNOW, snow))
    _wear(canvas, street, asphalt, rng)
    _markings(canvas, street, 1 - 0.8 * snow, rng)
    _light(canvas, top, rng)


def _surfaces(canvas: Canvas, street: Street, asphalt: Colour, paving: Colour) -> None:
    kerb, walk = street.edge, street.edge + street.pavement
    if street.pavement:
        _strip(canvas, -walk, walk, paving)
        _strip(canvas, -kerb - 0.25, kerb + 0.25, mixed(paving, (60, 60, 60), 0.4))
    _strip(canvas, -kerb, kerb, asphalt)


def _wear(canvas: Canvas, street: Street, asphalt: Colour, rng: np.random.Generator) -> None:
    """Mended squares, wheel tracks, manholes and cracks: any road has them, dug up or not."""
    for centre in np.arange(-street.edge + street.lane / 2, street.edge, street.lane):
        for track in (-0.8, 0.8):
            _strip(canvas, centre + track - 0.25, centre + track + 0.25, mixed(asphalt, (40, 40, 42), 0.12))
    for _ in range(int(rng.integers(0, 5))):
        x, z = rng.uniform(-street.edge, street.edge - 1), rng.uniform(4, 40)
        tone = mixed(asphalt, (30, 30, 32) if rng.random() < 0.7 else (170, 168, 160), rng.uniform(0.15, 0.4))
        _patch(canvas, x, x + rng.uniform(0.6, 2.5), z, z + rng.uniform(1, 8), tone)
    for _ in range(int(rng.integers(0, 3))):
        x, z = rng.uniform(-street.edge, street.edge), rng.uniform(5, 25)
        _patch(canvas, x, x + 0.7, z, z + 0.8, (52, 50, 50))


def _markings(canvas: Canvas, street: Street, strength: float, rng: np.random.Generator) -> None:
    fade = strength * float(rng.uniform(0.35, 1.0))
    middle = _YELLOW if street.region == "us" else _WHITE
    phase = float(rng.uniform(0, 9))
    for index in range(1, street.lanes):
        x = -street.edge + index * street.lane
        if street.lanes % 2 == 0 and index == street.lanes // 2 and street.kind != "highway":
            _line(canvas, x, middle, fade)
        else:
            _dashes(canvas, x, _WHITE, fade, phase)
    if street.kind == "highway" or rng.random() < 0.3:
        _line(canvas, -street.edge + 0.4, middle, fade)
        _line(canvas, street.edge - 0.4, _WHITE, fade)
    if street.kind == "city" and rng.random() < 0.3:
        _crossing(canvas, street, float(rng.uniform(6, 20)), fade)


def _line(canvas: Canvas, x: float, colour: Colour, fade: float) -> None:
    _paint(canvas, x - 0.07, x + 0.07, _NEAR, 120.0, colour, fade)


def _dashes(canvas: Canvas, x: float, colour: Colour, fade: float, phase: float) -> None:
    for z in np.arange(phase - 8, 75, 9.0):
        if z + 3 > _NEAR:
            _paint(canvas, x - 0.07, x + 0.07, max(float(z), _NEAR), float(z) + 3, colour, fade)


def _crossing(canvas: Canvas, street: Street, z: float, fade: float) -> None:
    for x in np.arange(-street.edge + 0.3, street.edge - 0.4, 1.0):
        _paint(canvas, float(x), float(x) + 0.5, z, z + 3, _WHITE, fade)


def _paint(
    canvas: Canvas, left: float, right: float, near: float, far: float, colour: Colour, fade: float
) -> None:
    project = canvas.camera.project
    corners = [project(left, 0, near), project(right, 0, near), project(right, 0, far), project(left, 0, far)]
    canvas.stain(corners, colour, fade)


def _strip(canvas: Canvas, left: float, right: float, colour: Colour) -> None:
    _patch(canvas, left, right, _NEAR, _END, colour)


def _patch(canvas: Canvas, left: float, right: float, near: float, far: float, colour: Colour) -> None:
    project = canvas.camera.project
    canvas.fill(
        [project(left, 0, near), project(right, 0, near), project(right, 0, far), project(left, 0, far)],
        colour,
    )


def _light(canvas: Canvas, top: int, rng: np.random.Generator) -> None:
    """Lights the flat world pixel by pixel, with the grain of its surface, at a quarter of the resolution."""
    rows, columns = (
        np.arange(top, HEIGHT, 4, dtype=np.float32) + 2,
        np.arange(0, WIDTH, 4, dtype=np.float32) + 2,
    )
    camera, light = canvas.camera, canvas.light
    z = np.minimum(camera.focal * camera.height / np.maximum(rows - camera.horizon, 0.5), _END)[:, None]
    x = camera.x + (columns[None, :] - camera.centre) * z / camera.focal
    grain = 1 + 0.05 * rng.standard_normal(x.shape, np.float32)
    clear = np.exp(-z / light.reach)[:, :, None]
    factor = light.ground(x, z) * grain[:, :, None] * clear
    size = (WIDTH, HEIGHT - top)
    lit = canvas.pixels[top:] * cv2.resize(factor, size) + cv2.resize(
        np.broadcast_to((1 - clear) * np.array(light.air, np.float32), factor.shape), size
    )
    canvas.pixels[top:] = np.clip(lit, 0, 255)


def _pick(rng: np.random.Generator, colours: tuple[Colour, ...]) -> Colour:
    return colours[int(rng.integers(len(colours)))]
