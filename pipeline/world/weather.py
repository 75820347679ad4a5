"""What goes wrong between the street and the file: rain, snow, glare, blur, sensor noise."""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.challenge import Pixels
from pipeline.world.canvas import HEIGHT, WIDTH, Canvas
from pipeline.world.conditions import Conditions
from pipeline.world.thing import Street

Rng = np.random.Generator

_NOISE = {"day": 2.5, "dusk": 5.0, "night": 11.0}
_NOISE_FLAW = 11.0


def puddle(canvas: Canvas, street: Street) -> None:
    """A wet road mirrors what stands above the horizon, smeared towards the viewer."""
    top = int(np.clip(canvas.camera.horizon, 1, HEIGHT - 1))
    rows = min(top, HEIGHT - top)
    mirror = cv2.blur(canvas.pixels[top - rows : top][::-1], (3, 31))
    below = canvas.pixels[top : top + rows]
    road = np.zeros((rows, WIDTH), np.uint8)
    project, edge = canvas.camera.project, street.edge
    corners = [project(-edge, 0, 1.3), project(edge, 0, 1.3), project(edge, 0, 500), project(-edge, 0, 500)]
    cv2.fillPoly(road, [np.rint(np.array(corners) - (0, top)).astype(np.int32)], 255)
    cv2.copyTo(cv2.addWeighted(below, 0.52, mirror, 0.44, 0), road, below)


def bloom(canvas: Canvas) -> None:
    """Adds the halos of all lamps."""
    halo = cv2.addWeighted(
        cv2.GaussianBlur(canvas.halo, (0, 0), 1.6), 0.8, cv2.GaussianBlur(canvas.halo, (0, 0), 5), 0.7, 0
    )
    cv2.add(canvas.pixels, cv2.resize(halo, (WIDTH, HEIGHT)), dst=canvas.pixels)


def fall(pixels: Pixels, conditions: Conditions, rng: Rng) -> Pixels:
    if conditions.weather == "rain":
        return _drops(_rain(pixels, rng), rng)
    return _snow(pixels, rng) if conditions.weather == "snow" else pixels


def expose(pixels: Pixels, conditions: Conditions, rng: Rng) -> Pixels:
    """The camera's own part: glare, motion, tone and noise."""
    if "glare" in conditions.flaws:
        pixels = _glare(pixels, rng)
    if "blur" in conditions.flaws:
        pixels = _motion(pixels, rng)
    return _sensor(pixels, conditions, rng)


def _rain(pixels: Pixels, rng: Rng) -> Pixels:
    streaks, slant = np.zeros((HEIGHT, WIDTH), np.uint8), float(rng.uniform(-0.35, 0.35))
    count = int(rng.integers(260, 620))
    starts = rng.uniform((-20, -20), (WIDTH, HEIGHT), (count, 2))
    lengths = rng.uniform(8, 26, count)
    for (x, y), length in zip(starts.tolist(), lengths.tolist(), strict=True):
        end = (round(x + slant * length), round(y + length))
        cv2.line(streaks, (round(x), round(y)), end, int(rng.integers(60, 150)), 1, cv2.LINE_AA)
    veil = cv2.cvtColor(cv2.GaussianBlur(streaks, (3, 3), 0), cv2.COLOR_GRAY2RGB)
    return _uint8(cv2.addWeighted(pixels, 0.80, veil, 0.7, 16))


def _drops(pixels: Pixels, rng: Rng) -> Pixels:
    """Water on the lens: round spots through which everything is out of focus."""
    spots = np.zeros((HEIGHT, WIDTH), np.uint8)
    for _ in range(int(rng.integers(8, 40))):
        centre, size = (int(rng.integers(WIDTH)), int(rng.integers(HEIGHT))), int(rng.integers(4, 24))
        cv2.ellipse(spots, centre, (size, round(size * 1.2)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    soft = cv2.resize(
        cv2.resize(pixels, (WIDTH // 10, HEIGHT // 10), interpolation=cv2.INTER_AREA), (WIDTH, HEIGHT)
    )
    cv2.copyTo(soft, spots, pixels)
    return pixels


def _snow(pixels: Pixels, rng: Rng) -> Pixels:
    flakes = np.zeros((HEIGHT, WIDTH), np.uint8)
    count = int(rng.integers(200, 600))
    places, sizes = rng.uniform((0, 0), (WIDTH, HEIGHT), (count, 2)), rng.gamma(1.6, 0.7, count)
    for (x, y), size in zip(places.tolist(), sizes.tolist(), strict=True):
        cv2.circle(flakes, (round(x * 8), round(y * 8)), round((0.5 + size) * 8), 230, -1, cv2.LINE_AA, 3)
    soft = cv2.cvtColor(cv2.GaussianBlur(flakes, (3, 3), 0), cv2.COLOR_GRAY2RGB)
    return _uint8(cv2.addWeighted(pixels, 0.93, soft, 0.75, 8))


def _glare(pixels: Pixels, rng: Rng) -> Pixels:
    """A low sun: a burst of light around one point, and grey haze over all."""
    x, y = float(rng.uniform(60, WIDTH - 60)), float(rng.uniform(20, 150))
    columns, rows = np.meshgrid(
        np.arange(0, WIDTH, 4, dtype=np.float32), np.arange(0, HEIGHT, 4, dtype=np.float32)
    )
    distance = np.hypot(columns - x, rows - y)
    burst = 235 * np.exp(-((distance / 60) ** 2)) + 130 * np.exp(-distance / 150) + 22
    warm = burst[:, :, None] * np.array((1.0, 0.94, 0.80), np.float32)
    return _uint8(pixels + cv2.resize(warm, (WIDTH, HEIGHT)))


def _motion(pixels: Pixels, rng: Rng) -> Pixels:
    length, angle = int(rng.integers(5, 12)), float(rng.uniform(-0.35, 0.35))
    kernel = np.zeros((length, length), np.float32)
    half = (length - 1) / 2
    for step in np.linspace(-half, half, 3 * length):
        kernel[round(half + step * np.sin(angle)), round(half + step * np.cos(angle))] += 1
    return _uint8(cv2.filter2D(pixels, -1, kernel / kernel.sum()))


def _sensor(pixels: Pixels, conditions: Conditions, rng: Rng) -> Pixels:
    """White balance, contrast, falling light towards the corners, and noise that grows in the dark."""
    pixels = _saturate(pixels, float(rng.uniform(0.55, 1.2)))
    gain = rng.uniform(0.88, 1.12) * rng.uniform(0.9, 1.1, 3)
    strength = _NOISE[conditions.hour] + (_NOISE_FLAW if "noise" in conditions.flaws else 0)
    noise = strength * rng.standard_normal((HEIGHT, WIDTH), np.float32)
    edges, stained = _vignette(), np.empty((HEIGHT, WIDTH, 3), np.float32)
    for channel, tone in enumerate(gain.tolist()):
        # One draw serves all three channels, shifted: chroma noise at a third of the price.
        shifted = np.roll(noise, 37 * channel, axis=1)
        stained[:, :, channel] = pixels[:, :, channel] * (edges * np.float32(tone)) + shifted
    return _uint8(stained)


def _saturate(pixels: Pixels, factor: float) -> Pixels:
    grey = cv2.cvtColor(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
    return _uint8(cv2.addWeighted(pixels, factor, grey, 1 - factor, 0))


def _vignette() -> NDArray[np.float32]:
    rows, columns = np.linspace(-1, 1, HEIGHT, dtype=np.float32), np.linspace(-1, 1, WIDTH, dtype=np.float32)
    edges: NDArray[np.float32] = 1.02 - 0.10 * (rows[:, None] ** 2 + columns[None, :] ** 2)
    return edges


def _uint8(values: Any) -> Pixels:
    pixels: Pixels = np.clip(values, 0, 255).astype(np.uint8, copy=False)
    return pixels
