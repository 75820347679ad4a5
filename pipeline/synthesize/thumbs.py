"""Copies are told by their thumbnails: what a painter repeats whole, it repeats at every size."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline import images

SIDE = 32
Thumbs = NDArray[np.float32]


def thumbs(names: Sequence[str]) -> Thumbs:
    """A row of norm 1 per image, its light and contrast taken out, so that a product is a correlation."""
    return np.stack([_thumb(name) for name in names]) if names else np.empty((0, SIDE * SIDE), np.float32)


def nearest(these: Thumbs, those: Thumbs) -> tuple[NDArray[np.float32], NDArray[np.intp]]:
    """Of each of these the highest correlation with any of those, mirrored ones too, and with which."""
    if not len(those):
        return np.full(len(these), -1, np.float32), np.zeros(len(these), np.intp)
    mirrored = those.reshape(-1, SIDE, SIDE)[:, :, ::-1].reshape(len(those), -1)
    alike = np.maximum(these @ those.T, these @ mirrored.T)
    return alike.max(axis=1), alike.argmax(axis=1)


def _thumb(image: str) -> Thumbs:
    # An eighth of the size in each direction comes out of a JPEG nearly for free.
    raw = np.frombuffer(images.read(image), np.uint8)
    grey = cv2.imdecode(raw, cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if grey is None or min(grey.shape) < SIDE:
        grey = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)
    small = cv2.resize(grey, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).ravel()
    small -= small.mean()
    unit: Thumbs = small / max(float(np.linalg.norm(small)), 1e-6)
    return unit
