"""Pictures, each named by the sha256 of its bytes and never changed."""

import hashlib
import os
from pathlib import Path

from pipeline import drafts


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


def read(image: str) -> bytes:
    return path(image).read_bytes()
