"""Pictures by their names, small enough for a phone."""

import io
import os
import re
from pathlib import Path

from gate_page import house

NAME = re.compile(r"[0-9a-f]{64}")
WIDE = 320


def thumbnail(image: str) -> bytes | None:
    """None for a name that is none, and for a picture that is not there."""
    if not NAME.fullmatch(image):
        return None
    file = _root() / image[:2] / f"{image}.jpg"
    return _small(file) if file.is_file() else None


def _root() -> Path:
    return house.home() / os.environ.get("IMAGES", "var/images")


def _small(file: Path) -> bytes:
    from PIL import Image

    with Image.open(file) as picture:
        picture.draft("RGB", (WIDE, WIDE))  # a JPEG is decoded no larger than it is shown
        small = picture.convert("RGB")
        small.thumbnail((WIDE, WIDE))
        data = io.BytesIO()
        small.save(data, "JPEG", quality=80)
    return data.getvalue()
