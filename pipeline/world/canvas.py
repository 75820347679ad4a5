"""A sheet that is drawn on in metres: x to the right, y up from the ground, z away from the camera."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.challenge import Pixels
from pipeline.world.light import Colour, Light

WIDTH, HEIGHT = 640, 360
Point = tuple[float, float]
Place = tuple[float, float, float]

_BITS = 4  # Sub-pixel bits of OpenCV's fixed-point coordinates.
_FAR = 12_000.0  # Pixels beyond which OpenCV's fixed point would overflow.
_NEAREST = 1.2
_HALO = 4


@dataclass(frozen=True)
class Camera:
    x: float
    height: float
    focal: float
    horizon: float
    centre: float

    def project(self, x: float, y: float, z: float) -> Point:
        scale = self.focal / max(z, _NEAREST)
        return self.centre + (x - self.x) * scale, self.horizon + (self.height - y) * scale


@dataclass
class Canvas:
    camera: Camera
    light: Light
    pixels: Pixels = field(default_factory=lambda: np.zeros((HEIGHT, WIDTH, 3), np.uint8))
    halo: NDArray[np.uint8] = field(
        default_factory=lambda: np.zeros((HEIGHT // _HALO, WIDTH // _HALO, 3), np.uint8)
    )

    def card(self, x: float, z: float, scale: float = 1.0) -> "Card":
        """An upright sheet that faces the camera, with its foot at (x, z)."""
        return Card(self, x, z, scale)

    def solid(self, places: Sequence[Place], colour: Colour, reflect: float = 0.0) -> None:
        """A flat face between places in the world, lit as its middle is."""
        x, z = (sum(place[axis] for place in places) / len(places) for axis in (0, 2))
        self.fill([self.camera.project(*place) for place in places], self.light.shade(colour, x, z, reflect))

    def box(
        self,
        x: float,
        z: float,
        width: float,
        bottom: float,
        top: float,
        length: float,
        colour: Colour,
        reflect: float = 0.0,
    ) -> None:
        """The visible faces of a block whose near face is centred on (x, z)."""
        left, right, far = x - width / 2, x + width / 2, z + length
        if top < self.camera.height:
            roof = [(left, top, z), (right, top, z), (right, top, far), (left, top, far)]
            self.solid(roof, darker(colour, 1.12), reflect)
        side = right if right < self.camera.x else left if left > self.camera.x else None
        if side is not None:
            wall = [(side, bottom, z), (side, top, z), (side, top, far), (side, bottom, far)]
            self.solid(wall, darker(colour, 0.78), reflect)
        self.solid([(left, bottom, z), (right, bottom, z), (right, top, z), (left, top, z)], colour, reflect)

    def fill(self, points: Sequence[Point], shade: Sequence[float]) -> None:
        cv2.fillPoly(self.pixels, [_fixed(points)], tuple(shade), cv2.LINE_AA, _BITS)

    def stain(self, points: Sequence[Point], shade: Sequence[float], alpha: float) -> None:
        """Blends a shape over what is there."""
        corners = np.asarray(points)
        left, top = np.clip(corners.min(axis=0).astype(int) - 1, 0, (WIDTH, HEIGHT))
        right, bottom = np.clip(corners.max(axis=0).astype(int) + 2, 0, (WIDTH, HEIGHT))
        if right - left < 1 or bottom - top < 1:
            return
        below = self.pixels[top:bottom, left:right]
        above = below.copy()
        cv2.fillPoly(above, [_fixed(corners - (left, top))], tuple(shade), cv2.LINE_AA, _BITS)
        cv2.addWeighted(above, alpha, below, 1 - alpha, 0, dst=below)

    def shadow(self, x: float, z: float, width: float, height: float, depth: float = 0.4) -> None:
        """What a thing of this size takes from the ground: a dark foot, and by day a slanted streak."""
        half, lean, camera = width / 2, self.light.sun * height, self.camera
        foot = [
            (x - half, z - 0.1),
            (x + half, z - 0.1),
            (x + 1.1 * half, z + depth),
            (x - 1.1 * half, z + depth),
        ]
        self.stain([camera.project(px, 0, pz) for px, pz in foot], (12, 12, 16), 0.25 + self.light.shadow / 2)
        if self.light.shadow > 0.3:
            streak = [
                (x - half, z),
                (x + half, z),
                (x + half + lean, z + 0.5 * height),
                (x - half + lean, z + 0.5 * height),
            ]
            self.stain([camera.project(px, 0, pz) for px, pz in streak], (18, 20, 28), self.light.shadow)

    def lamp(self, x: float, y: float, z: float, radius: float, colour: Colour, spread: float = 3.0) -> None:
        """A thing that shines by itself, with a halo around it."""
        (px, py), size = self.camera.project(x, y, z), radius * self.camera.focal / max(z, _NEAREST)
        clear = float(np.exp(-z / self.light.reach / 1.5))
        core = [min(255.0, part * (0.35 + 0.65 * clear) + 40 * clear) for part in colour]
        _disc(self.pixels, px, py, max(size, 0.7), core)
        halo = [part * clear for part in colour]
        _disc(self.halo, px / _HALO, py / _HALO, max(spread * size, 2.5) / _HALO, halo)


@dataclass(frozen=True)
class Card:
    canvas: Canvas
    x: float
    z: float
    scale: float

    def poly(self, points: Sequence[Point], colour: Colour, reflect: float = 0.0) -> None:
        shade = self.canvas.light.shade(colour, self.x, self.z, reflect)
        self.canvas.fill([self.spot(*point) for point in points], shade)

    def rect(
        self, left: float, bottom: float, right: float, top: float, colour: Colour, reflect: float = 0.0
    ) -> None:
        self.poly([(left, bottom), (right, bottom), (right, top), (left, top)], colour, reflect)

    def disc(self, x: float, y: float, radius: float, colour: Colour, reflect: float = 0.0) -> None:
        px, py = self.spot(x, y)
        size = radius * self.scale * self.canvas.camera.focal / max(self.z, _NEAREST)
        _disc(self.canvas.pixels, px, py, size, self.canvas.light.shade(colour, self.x, self.z, reflect))

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        size = width * self.scale * self.canvas.camera.focal / max(self.z, _NEAREST)
        shade = self.canvas.light.shade(colour, self.x, self.z)
        fixed = [_fixed([self.spot(*point) for point in points])]
        cv2.polylines(self.canvas.pixels, fixed, False, shade, max(1, round(size)), cv2.LINE_AA, _BITS)

    def lamp(self, x: float, y: float, radius: float, colour: Colour, spread: float = 3.0) -> None:
        at_x, at_y = self.x + x * self.scale, y * self.scale
        self.canvas.lamp(at_x, at_y, self.z, radius * self.scale, colour, spread)

    def spot(self, x: float, y: float) -> Point:
        return self.canvas.camera.project(self.x + x * self.scale, y * self.scale, self.z)


def mixed(first: Colour, second: Colour, share: float) -> Colour:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def darker(colour: Colour, factor: float) -> Colour:
    red, green, blue = (min(255, round(part * factor)) for part in colour)
    return red, green, blue


def _fixed(points: Sequence[Point] | NDArray[np.float64]) -> NDArray[np.int32]:
    fixed: NDArray[np.int32] = np.rint(np.clip(np.asarray(points), -_FAR, _FAR) * (1 << _BITS)).astype(
        np.int32
    )
    return fixed


def _disc(pixels: NDArray[np.uint8], x: float, y: float, radius: float, shade: Sequence[float]) -> None:
    one = 1 << _BITS
    centre = (round(max(-_FAR, min(_FAR, x)) * one), round(max(-_FAR, min(_FAR, y)) * one))
    cv2.circle(pixels, centre, max(1, round(radius * one)), tuple(shade), -1, cv2.LINE_AA, _BITS)
