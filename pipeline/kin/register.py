"""Whether one picture lies in another: the best correlation over all ways to lay it there.

A vector of a network says what is seen, and two streets in the same rain look alike to it. Laying the middle
of one picture over the other, turned and scaled as a validator would, tells the same street from a similar
one. Light and contrast are taken out first, so that neither night nor a JPEG counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from inference_runtime.errors import Fixable
from pipeline import images

VERSION = 1  # raise it when two pictures may get another likeness than before

Grey = NDArray[np.float32]

KEPT = 128  # pixels of the shorter side; what a challenge has been through leaves no more to see
MIDDLE = 0.8  # share of the shorter side that is laid over the other: corners turn out of the frame
COARSE, FINE = 16, 48  # pixels of that middle at the first look and at the second
# A validator's crop has 45 to 100 % of the frame's shorter side and is tilted by up to 20 degrees.
CROPS = tuple(np.geomspace(0.52, 1.0, 6))
TILTS = tuple(np.linspace(-20, 20, 7))
# Frames of a burst come nearer or go, and stay level.
STEPS = tuple(np.geomspace(0.8, 1.25, 7))
WORTH = 0.55  # a first look under this is not worth the second: nearly all strangers end here


@dataclass(frozen=True)
class Ground:
    """A picture as another may lie on it: its lines at one scale and tilt."""

    scale: float
    tilt: float
    lines: Grey


@dataclass
class Sketch:
    """All of a picture that is compared, and what the first look needs of it."""

    grey: Grey

    @cached_property
    def middle(self) -> Grey:
        return _middle(self.grey, COARSE)

    @cached_property
    def level(self) -> list[Ground]:
        return _grounds(self.grey, COARSE, STEPS, (0.0,))

    @cached_property
    def tilted(self) -> list[Ground]:
        return _grounds(self.grey, COARSE, CROPS, TILTS)


def sketch(image: str) -> Sketch:
    raw = np.frombuffer(images.read(image), np.uint8)
    # Half the size comes out of a JPEG nearly for free.
    grey = cv2.imdecode(raw, cv2.IMREAD_REDUCED_GRAYSCALE_2)
    if grey is None or min(grey.shape) < KEPT:
        grey = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        raise Fixable(f"{images.path(image)}: no picture; delete it and run `python -m pipeline pull`")
    shrink = min(1.0, KEPT / min(grey.shape))
    height, width = grey.shape
    return Sketch(_scaled(grey.astype(np.float32), width * shrink, height * shrink))


def alike(one: Sketch, other: Sketch) -> float:
    """-1 to 1: whether the two are copies, or frames of one burst."""
    return _likeness(one, other, other.level)


def inside(crop: Sketch, frame: Sketch) -> float:
    """-1 to 1: whether the one was cut out of the other, whatever else a validator did to it."""
    return _likeness(crop, frame, frame.tilted)


def _likeness(small: Sketch, large: Sketch, grounds: list[Ground]) -> float:
    first, ground = _best(small.middle, grounds)
    if ground is None or first < WORTH:
        return first
    scales = [ground.scale * step for step in (0.94, 1.0, 1.06)]
    tilts = [ground.tilt + turn for turn in (-3.0, 0.0, 3.0)]
    return _best(_middle(small.grey, FINE), _grounds(large.grey, FINE, scales, tilts))[0]


def _best(middle: Grey, grounds: Sequence[Ground]) -> tuple[float, Ground | None]:
    fitting = [ground for ground in grounds if min(ground.lines.shape) >= len(middle)]
    found = [
        (float(cv2.matchTemplate(ground.lines, middle, cv2.TM_CCOEFF_NORMED).max()), ground)
        for ground in fitting
    ]
    return max(found, key=lambda one: one[0], default=(-1.0, None))


def _grounds(grey: Grey, side: int, scales: Sequence[float], tilts: Sequence[float]) -> list[Ground]:
    """So large that the middle of a crop of that scale is `side` pixels wide."""
    height, width = grey.shape
    found = []
    for scale in scales:
        shrink = side / (MIDDLE * scale * min(grey.shape))
        small = _scaled(grey, width * shrink, height * shrink)
        found += [Ground(scale, tilt, _lines(_tilted(small, tilt), side)) for tilt in tilts]
    return found


def _middle(grey: Grey, side: int) -> Grey:
    height, width = grey.shape
    shrink = side / (MIDDLE * min(grey.shape))
    lines = _lines(_scaled(grey, width * shrink, height * shrink), side)
    top, left = (lines.shape[0] - side) // 2, (lines.shape[1] - side) // 2
    return lines[top : top + side, left : left + side]


def _lines(grey: Grey, side: int) -> Grey:
    """Edges of every strength alike: what is left when light and contrast are taken out."""
    wide = side / 8
    fine = grey - cv2.GaussianBlur(grey, (0, 0), wide)
    box = int(3 * wide) | 1
    flat: Grey = fine / np.sqrt(cv2.blur(fine * fine, (box, box)) + 4.0)
    return flat


def _scaled(grey: Grey, width: float, height: float) -> Grey:
    size = (max(1, round(width)), max(1, round(height)))
    small: Grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return small


def _tilted(grey: Grey, tilt: float) -> Grey:
    if tilt == 0:
        return grey
    height, width = grey.shape
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), tilt, 1.0)
    turned: Grey = cv2.warpAffine(grey, turn, (width, height), borderMode=cv2.BORDER_REPLICATE)
    return turned
