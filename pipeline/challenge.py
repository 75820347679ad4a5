"""A replica of what a validator does to a picture, and of what it pays for the answer."""

import hashlib
from typing import Any

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

Pixels = NDArray[np.uint8]  # height x width x 3, RGB

# Part of every feature's cache key: raise it whenever `view` may return other pixels than before.
VERSION = 1

PROFILES = ("2026-01", "letterbox", "native")
SIDE = 224
QUALITY = 75

_TILT = 20.0
_CROP_AREA = (0.2, 1.0)
_CROP_TRIES = (
    10  # A crop may ask for more than the frame is high; after ten such draws the validator centres.
)
_SATURATION = (1.0, 0.4, 0.3)
_CONTRAST = (1.0, 0.85, 0.725)
_SHRINK = (1, 2, 3)
_NOISE = (0.0, 0.001, 0.002)
_BLUR = (1, 7, 9)

SHORT, LONG = 10, 100  # the windows of accuracy and of MCC
_ALPHA = 0.05


def seed_of(image: str, name: str) -> int:
    """The seed of the view called `name` of an image: the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{image}/{name}".encode()).digest()[:8], "big")


def level_of(seed: int) -> int:
    """How hard the "2026-01" profile treats this seed: 0 (a centre crop) to 3 (noise and blur too)."""
    return _level(np.random.default_rng(seed))


def view(pixels: Pixels, profile: str, seed: int) -> Pixels:
    """The frame as a miner would receive it under `profile`; the same seed gives the same pixels."""
    match profile:
        case "2026-01":
            return _augment(pixels, np.random.default_rng(seed))
        case "letterbox":
            return _letterbox(pixels)
        case "native":
            return pixels
    raise ValueError(f"no challenge profile {profile!r}; there are {', '.join(PROFILES)}")


def encode(pixels: Pixels) -> bytes:
    """The JPEG that goes over the wire."""
    done, data = cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    if not done:
        raise ValueError(f"cannot encode pixels of shape {pixels.shape}")
    return bytes(data)


def _level(rng: np.random.Generator) -> int:
    return int(rng.integers(4))


def _augment(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    level = _level(rng)
    if level == 0:
        return _square(pixels, *_centre(pixels))
    tilted = _rotate(pixels, float(rng.uniform(-_TILT, _TILT)))
    cropped = _square(tilted, *_crop(pixels, rng))
    return _distort(cropped, level - 1, rng)


def _rotate(pixels: Pixels, degrees: float) -> Pixels:
    height, width = pixels.shape[:2]
    turn = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), degrees, 1.0)
    return _pixels(cv2.warpAffine(pixels, turn, (width, height), flags=cv2.INTER_NEAREST))


def _centre(pixels: Pixels) -> tuple[int, int, int]:
    height, width = pixels.shape[:2]
    side = min(height, width)
    return (height - side) // 2, (width - side) // 2, side


def _crop(pixels: Pixels, rng: np.random.Generator) -> tuple[int, int, int]:
    height, width = pixels.shape[:2]
    for _ in range(_CROP_TRIES):
        side = max(1, round(float(np.sqrt(height * width * rng.uniform(*_CROP_AREA)))))
        if side <= min(height, width):
            return int(rng.integers(height - side + 1)), int(rng.integers(width - side + 1)), side
    return _centre(pixels)


def _square(pixels: Pixels, top: int, left: int, side: int) -> Pixels:
    return _scale(pixels[top : top + side, left : left + side], SIDE, SIDE)


def _scale(pixels: Pixels, width: int, height: int) -> Pixels:
    # Area averaging is OpenCV's antialiased way down; on the way up it would give blocks.
    smaller = width * height < pixels.shape[0] * pixels.shape[1]
    return _pixels(
        cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA if smaller else cv2.INTER_LINEAR)
    )


def _letterbox(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    inner_width, inner_height = max(1, round(width * scale)), max(1, round(height * scale))
    top, left = (SIDE - inner_height) // 2, (SIDE - inner_width) // 2
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    canvas[top : top + inner_height, left : left + inner_width] = _scale(pixels, inner_width, inner_height)
    return canvas


def _distort(pixels: Pixels, hardest: int, rng: np.random.Generator) -> Pixels:
    if hardest == 0:
        return pixels
    pixels = _desaturate(pixels, _SATURATION[_strength(rng, hardest)])
    pixels = _pixels(pixels * np.float32(_CONTRAST[_strength(rng, hardest)]))
    pixels = _resample(pixels, _SHRINK[_strength(rng, hardest)])
    if hardest == 1:
        return pixels
    pixels = _add_noise(pixels, _NOISE[_strength(rng, hardest)], rng)
    return _blur(pixels, _BLUR[_strength(rng, hardest)])


def _strength(rng: np.random.Generator, hardest: int) -> int:
    return int(rng.integers(hardest + 1))


def _desaturate(pixels: Pixels, keep: float) -> Pixels:
    if keep == 1.0:
        return pixels
    parts = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    parts[:, :, 1:] = 128 + (parts[:, :, 1:] - 128) * keep
    return _pixels(cv2.cvtColor(_pixels(parts), cv2.COLOR_YCrCb2RGB))


def _resample(pixels: Pixels, factor: int) -> Pixels:
    small = cv2.resize(pixels, (SIDE // factor, SIDE // factor))
    return _pixels(cv2.resize(small, (SIDE, SIDE)))


def _add_noise(pixels: Pixels, variance: float, rng: np.random.Generator) -> Pixels:
    if variance == 0.0:
        return pixels
    parts = cv2.cvtColor(pixels, cv2.COLOR_RGB2YCrCb).astype(np.float32)
    parts += 255 * np.sqrt(variance) * rng.standard_normal(parts.shape, np.float32)
    return _pixels(cv2.cvtColor(_pixels(parts), cv2.COLOR_YCrCb2RGB))


def _blur(pixels: Pixels, kernel: int) -> Pixels:
    return pixels if kernel == 1 else _pixels(cv2.GaussianBlur(pixels, (kernel, kernel), kernel / 6))


def _pixels(values: Any) -> Pixels:
    pixels: Pixels = np.clip(values, 0, 255).astype(np.uint8, copy=False)
    return pixels


def reward(labels: ArrayLike, predictions: ArrayLike) -> NDArray[np.float64]:
    """What each challenge of a stream earns: (MCC of the last 100 / 2 + accuracy of the last 10 / 2) cubed.

    An answer outside [0, 1] earns nothing and is left out of both windows, as the validator does.
    """
    truth, given = np.asarray(labels, np.float64), np.asarray(predictions, np.float64)
    valid = (given >= 0) & (given <= 1)
    positive, answered = truth[valid] > 0.5, given[valid] > 0.5
    hits, alarms = positive & answered, ~positive & answered
    misses, rejections = positive & ~answered, ~positive & ~answered
    long = [_window(part, LONG) for part in (hits, alarms, misses, rejections)]
    right = _window(hits | rejections, SHORT) / _window(np.ones_like(hits), SHORT)
    earned = np.zeros(len(truth))
    earned[valid] = paid(matthews(*long), right)
    return earned


def paid(mcc: NDArray[np.float64], accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    """For one challenge, by the two windows that end with it."""
    pay: NDArray[np.float64] = (0.5 * np.maximum(0.0, mcc) + 0.5 * accuracy) ** 3
    return pay


def ema(rewards: ArrayLike) -> NDArray[np.float64]:
    """The validator's moving average after each challenge of a stream, from nothing on."""
    total, kept = 0.0, []
    for earned in np.asarray(rewards, np.float64):
        total += _ALPHA * (float(earned) - total)
        kept.append(total)
    return np.array(kept)


def expected_reward(labels: ArrayLike, predictions: ArrayLike, draws: int = 40_000) -> float:
    """What an endless stream of such challenges, half of them positive, would earn per challenge.

    The stream is drawn from the given answers with a fixed seed, so the figure depends neither on their order
    nor on chance, and two models that answer the same pictures are compared on the same stream.
    """
    truth, given = np.asarray(labels, np.float64), np.asarray(predictions, np.float64)
    rng = np.random.default_rng(72)
    kinds = [
        members for members in (np.flatnonzero(truth <= 0.5), np.flatnonzero(truth > 0.5)) if len(members)
    ]
    if not kinds:
        raise ValueError("no labelled answers to draw a stream from")
    drawn = np.stack([rng.choice(members, draws) for members in kinds])
    stream = drawn[rng.integers(len(kinds), size=draws), np.arange(draws)]
    return float(reward(truth[stream], given[stream])[LONG:].mean())


def _window(flags: NDArray[np.bool_], size: int) -> NDArray[np.float64]:
    total = np.concatenate([np.zeros(1), np.cumsum(flags, dtype=np.float64)])
    ends = np.arange(1, len(flags) + 1)
    inside: NDArray[np.float64] = total[ends] - total[np.maximum(ends - size, 0)]
    return inside


def matthews(
    hits: NDArray[np.float64],
    alarms: NDArray[np.float64],
    misses: NDArray[np.float64],
    rejections: NDArray[np.float64],
) -> NDArray[np.float64]:
    scale = (hits + alarms) * (hits + misses) * (rejections + alarms) * (rejections + misses)
    agreement = hits * rejections - alarms * misses
    return np.divide(agreement, np.sqrt(scale), out=np.zeros_like(scale), where=scale > 0)
