"""The one preprocessing: training and serving both come here, so they cannot differ."""

import struct
import threading
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Literal, cast, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from inference_runtime.errors import BundleError, ImageError

Pixels = NDArray[np.uint8]

Filter = Literal["bilinear", "bicubic", "lanczos"]

VERSION = 3
# Before there were filters: all was bilinear.
UNFILTERED = 2
MAX_PIXELS = 50_000_000
MAX_SIDE = 8192
# A whole-number box reduction first, to no less than twice the target: half the time on a 1080p frame.
GAP = 2.0
# Pictures of more pixels are opened one at a time: several of the largest at once would be a gigabyte.
LARGE_PIXELS = 16_000_000
STRIP = 256

# Named, because Pillow's other readers are either rare for photos or start other programs (EPS).
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")

# What Pillow's readers raise on hostile bytes: its own OSError, and whatever their parsing stumbles over.
BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RuntimeError,
    MemoryError,
    struct.error,
)

ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_one_large = threading.Lock()
SIDEWAYS = tuple(UPRIGHT[orientation] for orientation in (5, 6, 7, 8))


Size = tuple[int, int]  # width, height


@dataclass(frozen=True)
class Preprocess:
    """The size that a model looks at, and how a picture comes to it.

    A sharper filter keeps more of what is a few pixels wide, and takes longer.
    """

    width: int
    height: int
    filter: Filter = "bilinear"

    def to_json(self) -> dict[str, int | str]:
        return {"version": VERSION, "width": self.width, "height": self.height, "filter": self.filter}

    @classmethod
    def from_json(cls, json: Mapping[str, Any]) -> "Preprocess":
        """Refuses a version that this code does not know: it would see other pixels than training did."""
        version = json.get("version")
        if version not in (UNFILTERED, VERSION):
            raise BundleError(f"preprocess.version: {version!r} is not {VERSION}; export the bundle again")
        filter = _filter(json) if version == VERSION else "bilinear"
        return cls(width=_side(json, "width"), height=_side(json, "height"), filter=filter)


def decode(data: bytes) -> Pixels:
    """The picture as uint8 RGB, height x width x 3, upright; ImageError when there is none to be had."""
    return np.array(picture(data))


def resize(pixels: Pixels, spec: Preprocess) -> Pixels:
    """The whole frame squashed onto the model's size; the same pixels when it is that size already."""
    return _squashed(Image.fromarray(pixels), spec)


def prepare(data: bytes, spec: Preprocess) -> Pixels:
    """What a model of this size looks at."""
    return look(data, spec)[0]


def look(data: bytes, spec: Preprocess) -> tuple[Pixels, Size]:
    """`prepare`, and the size that the upright picture has.

    A JPEG is decoded no larger than needed (a half, a quarter or an eighth of it, by the scaled inverse
    DCT), which halves the time and changes photographs by less than one grey level in the mean. Of all other
    pictures it makes exactly `resize(decode(data), spec)`.
    """
    shown, size = _decoded(data, (spec.width, spec.height))
    return _squashed(shown, spec), size


def picture(data: bytes) -> Image.Image:
    """The whole picture upright and in RGB; ImageError says what is wrong with the bytes."""
    return _decoded(data, None)[0]


def _squashed(picture: Image.Image, spec: Preprocess) -> Pixels:
    size = (spec.width, spec.height)
    return np.array(picture.resize(size, Image.Resampling[spec.filter.upper()], reducing_gap=GAP))


def _decoded(data: bytes, least: Size | None) -> tuple[Image.Image, Size]:
    """The picture, no smaller than `least` where it can be scaled, and the size that it has in truth."""
    with _opened(data) as image:
        _refuse_large(image)
        large = image.width * image.height > LARGE_PIXELS
        try:
            with _one_large if large else nullcontext():
                return _loaded(image, least, len(data))
        except BROKEN as error:
            raise ImageError(f"image: broken or truncated {image.format} ({_line(error)})") from error


def _loaded(image: Image.Image, least: Size | None, length: int) -> tuple[Image.Image, Size]:
    if isinstance(image, JpegImageFile):
        return _decoded_jpeg(image, least, length)
    image.load()
    whole = _rgb(_upright(image, _turn(image)))
    return whole, whole.size


def _decoded_jpeg(image: JpegImageFile, least: Size | None, length: int) -> tuple[Image.Image, Size]:
    turn = _turn(image)
    size = _turned(image.size, turn)
    if least:
        image.draft(None, _turned(least, turn))
    # All bytes at once: Pillow would hand them over in pieces, and copy what is left of each.
    image.decodermaxblock = length
    image.load()
    return _rgb(_upright(image, turn)), size


def _turned(size: Size, turn: Image.Transpose | None) -> Size:
    return size[::-1] if turn in SIDEWAYS else size


def _upright(image: Image.Image, turn: Image.Transpose | None) -> Image.Image:
    return image if turn is None else image.transpose(turn)


def _turn(image: Image.Image) -> Image.Transpose | None:
    return UPRIGHT.get(_orientation(image))


def _opened(data: bytes) -> Image.Image:
    if not data:
        raise ImageError("image: empty, 0 bytes")
    try:
        return Image.open(BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError as error:
        raise ImageError(f"image: not a picture; accepted are {', '.join(FORMATS)}") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageError(f"image: too large, over {MAX_PIXELS // 1_000_000} megapixels") from error
    except BROKEN as error:
        raise ImageError(f"image: broken header ({_line(error)})") from error


def _refuse_large(image: Image.Image) -> None:
    # The header alone is read so far: refusing here costs no memory.
    if image.width * image.height > MAX_PIXELS:
        size = f"{image.width}x{image.height}"
        raise ImageError(f"image: too large, {size} is over {MAX_PIXELS // 1_000_000} megapixels")


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except BROKEN:
        # Cameras write damaged EXIF around sound pictures; the picture is what counts.
        return 1


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode == "F":
        return Image.fromarray(np.nan_to_num(np.asarray(image)).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.mode == "LAB":
        return _from_lab(image)
    if image.has_transparency_data:
        return _on_white(image)
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion clips at 255 instead of scaling, which turns most of the picture white.
    grey = np.asarray(image).clip(0, 65535) >> 8
    return Image.fromarray(grey.astype(np.uint8)).convert("RGB")


def _from_lab(image: Image.Image) -> Image.Image:
    lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
    converted = ImageCms.profileToProfile(image, lab, srgb, outputMode="RGB")
    assert converted is not None
    return converted


def _on_white(image: Image.Image) -> Image.Image:
    # Under full transparency any colour may be stored; white is what a page would show.
    # In strips, because a large picture would otherwise be held five times over.
    page = Image.new("RGB", image.size)
    for top in range(0, image.height, STRIP):
        box = (0, top, image.width, min(top + STRIP, image.height))
        rgba = image.crop(box).convert("RGBA")
        page.paste(Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB"), box)
    return page


def _filter(json: Mapping[str, Any]) -> Filter:
    for known in get_args(Filter):
        if json.get("filter") == known:
            return cast(Filter, known)
    raise BundleError(f"preprocess.filter: {json.get('filter')!r} is none of {', '.join(get_args(Filter))}")


def _side(json: Mapping[str, Any], key: str) -> int:
    value = json.get(key)
    if type(value) is not int or not 1 <= value <= MAX_SIDE:
        raise BundleError(f"preprocess.{key}: {value!r} is not a whole number from 1 to {MAX_SIDE}")
    return value


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
