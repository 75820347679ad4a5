"""Pictures with the detail of photographs, each request of one a file of its own."""

import base64
import json
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIZES = ((640, 480), (800, 600), (1280, 720), (1920, 1080))
QUALITY = 85
# A JPEG comment right after the first marker holds the number of the request. Both it and what precedes it
# are whole triples of bytes, so that the base64 of a request is spliced from three parts too.
NUMBER_BYTES = 12
COMMENT = b"\xff\xfe" + (NUMBER_BYTES + 2).to_bytes(2, "big")


@dataclass(frozen=True)
class Body:
    """A request body but for its number, which goes between the parts."""

    head: bytes
    tail: bytes
    encoded: bool

    def parts(self, number: int) -> tuple[bytes, bytes, bytes]:
        unique = b"%012d" % number
        return self.head, base64.b64encode(unique) if self.encoded else unique, self.tail

    def __len__(self) -> int:
        return len(self.head) + len(self.tail) + (NUMBER_BYTES * 4 // 3 if self.encoded else NUMBER_BYTES)


def body(jpeg: bytes, mode: str) -> Body:
    assert jpeg[:2] == b"\xff\xd8"
    head, tail = jpeg[:2] + COMMENT, jpeg[2:]
    if mode == "raw":
        return Body(head, tail, False)
    return Body(b'{"image": "' + base64.b64encode(head), base64.b64encode(tail) + b'"}', True)


def whole(jpeg: bytes, mode: str, number: int) -> bytes:
    return b"".join(body(jpeg, mode).parts(number))


def write(folder: Path, count: int, seed: int = 72, shrink: int = 1) -> list[Path]:
    """JPEG files of SIZES in turn, shrunk so many times; the same seed gives the same pictures."""
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / f"{n:03}.jpg" for n in range(count)]
    for n, file in enumerate(files):
        if not file.exists():
            width, height = SIZES[n % len(SIZES)]
            file.write_bytes(_jpeg(_street(draw, width // shrink, height // shrink)))
    return files


def references(folder: Path) -> dict[str, list[float]]:
    """What each way of preparing pixels makes of each picture: {"pillow": [p, ...], "ours": [...]}."""
    found: dict[str, list[float]] = json.loads((folder / "references.json").read_text())
    return found


def _street(draw: np.random.Generator, width: int, height: int) -> NDArray[np.uint8]:
    # Natural pictures have an amplitude spectrum of about 1/f, a little steeper through a lens. So do these:
    # their JPEGs are as large.
    fx, fy = np.fft.rfftfreq(width)[None], np.fft.fftfreq(height)[:, None]
    slope = 1 / np.maximum(np.hypot(fx, fy), 1 / width) ** 1.25
    grey = _noise(draw, slope, width, height)
    tints = [_noise(draw, slope, width, height) for _ in range(3)]
    bright, contrast = draw.uniform(40, 215), draw.uniform(30, 55)
    layers = [bright + contrast * (grey + 0.35 * tint) for tint in tints]
    return np.stack(layers, axis=-1).clip(0, 255).astype(np.uint8)


def _noise(
    draw: np.random.Generator, slope: NDArray[np.float64], width: int, height: int
) -> NDArray[np.float64]:
    phase = np.exp(2j * np.pi * draw.random(slope.shape))
    field = np.fft.irfft2(slope * phase, s=(height, width))
    return np.asarray((field - field.mean()) / field.std())


def _jpeg(pixels: NDArray[np.uint8]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=QUALITY)
    return file.getvalue()
