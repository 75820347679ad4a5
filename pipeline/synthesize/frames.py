"""A case's picture as painters want it: sized, masked, encoded."""

import io

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_runtime import preprocess
from pipeline import images

Pixels = NDArray[np.uint8]

QUALITY = 92
# Orange to red in OpenCV's half-degree hues, strong and not dark: what roadwork is painted in, to be seen.
ORANGE = ((0, 110, 80), (18, 255, 255))
# A thing and its shadow are wider than its colour.
MARGIN = 0.03


def case(image: str, width: int, height: int) -> Image.Image:
    """The case, cut to this shape around its middle; nothing is squeezed."""
    picture = Image.fromarray(preprocess.decode(images.read(image)))
    scale = max(width / picture.width, height / picture.height)
    size = (max(width, round(picture.width * scale)), max(height, round(picture.height * scale)))
    left, top = (size[0] - width) // 2, (size[1] - height) // 2
    sized = picture.resize(size, Image.Resampling.BICUBIC)
    return sized.crop((left, top, left + width, top + height))


def spot(width: int, height: int, seed: int) -> Image.Image:
    """A mask (white = paint here) over a patch of road or kerb, where roadwork may stand."""
    rng = np.random.default_rng((seed, 2))
    w, h = rng.uniform(0.2, 0.5) * width, rng.uniform(0.2, 0.45) * height
    x, y = rng.uniform(0.05, 0.95) * (width - w), rng.uniform(0.4, 0.95) * (height - h)
    mask = np.zeros((height, width), np.uint8)
    mask[round(y) : round(y + h), round(x) : round(x + w)] = 255
    return Image.fromarray(mask)


def orange(picture: Image.Image) -> Image.Image | None:
    """A mask over what is painted like roadwork; None if nothing is."""
    pixels = np.asarray(picture.convert("RGB"))
    hot = cv2.inRange(cv2.cvtColor(pixels, cv2.COLOR_RGB2HSV), np.array(ORANGE[0]), np.array(ORANGE[1]))
    side = max(3, round(MARGIN * max(picture.size)) | 1)
    wide = cv2.dilate(cv2.morphologyEx(hot, cv2.MORPH_OPEN, np.ones((3, 3))), np.ones((side, side)))
    return Image.fromarray(wide) if wide.any() else None


def edges(picture: Image.Image) -> Image.Image:
    """The outlines that a structure-keeping painter follows."""
    grey = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2GRAY)
    return Image.fromarray(cv2.cvtColor(cv2.Canny(grey, 80, 160), cv2.COLOR_GRAY2RGB))


def jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.convert("RGB").save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


def png(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()
