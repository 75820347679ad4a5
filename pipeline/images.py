"""Pictures, each named by the sha256 of its bytes and never changed."""

import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from inference_runtime import preprocess
from pipeline import drafts


@dataclass(frozen=True)
class Picture:
    image: str
    width: int
    height: int


def root() -> Path:
    return Path(os.environ.get("IMAGES", "var/images"))


def name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def path(image: str) -> Path:
    return root() / image[:2] / f"{image}.jpg"


def put(data: bytes) -> str:
    image = name(data)
    if not path(image).exists():
        drafts.write(path(image), data)
    return image


def admit(data: bytes) -> Picture:
    """Stores a picture that can be decoded; ImageError for any other. Decoded once in its life."""
    image = name(data)
    if not path(image).exists():
        preprocess.decode(data)
        put(data)
    with Image.open(io.BytesIO(data)) as header:
        return Picture(image, *header.size)


def read(image: str) -> bytes:
    return path(image).read_bytes()
