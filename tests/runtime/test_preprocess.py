import struct
import zlib
from io import BytesIO
from typing import Any, get_args

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageFile

from inference_runtime import preprocess
from inference_runtime.errors import BundleError, ImageError
from inference_runtime.preprocess import Filter, Pixels, Preprocess

SPEC = Preprocess(width=48, height=32)


def saved(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def scene(width: int = 96, height: int = 64, seed: int = 0) -> Image.Image:
    """Smooth, so that a lossy format stays near; red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(0, 255, width), np.linspace(0, 255, height))
    return Image.fromarray(np.stack([x, y, 0 * x + 40 * seed], axis=2).astype(np.uint8))


def header_of(width: int, height: int) -> bytes:
    """A PNG that promises this size and brings next to nothing."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    shape = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = [chunk(b"IHDR", shape), chunk(b"IDAT", zlib.compress(bytes(1000))), chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def distance(one: Pixels, other: Pixels) -> float:
    assert one.shape == other.shape
    return float(np.abs(one.astype(int) - other.astype(int)).mean())


def test_a_lossless_picture_comes_back_exactly() -> None:
    picture = scene()
    decoded = preprocess.decode(saved(picture))
    assert decoded.dtype == np.uint8 and decoded.flags.c_contiguous and decoded.flags.writeable
    assert np.array_equal(decoded, np.asarray(picture))


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "GIF", "PNG"])
def test_every_accepted_format(kind: str) -> None:
    assert distance(preprocess.decode(saved(scene(), kind)), np.asarray(scene())) < 12


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "I;16", "F", "LAB"]
)
def test_every_mode_becomes_rgb(mode: str) -> None:
    grey = scene().convert("L")
    match mode:
        case "I" | "I;16":
            wide = np.asarray(grey).astype(np.uint16) * 257
            picture, expected = Image.fromarray(wide.astype(np.int32 if mode == "I" else np.uint16)), grey
        case "LAB":
            lab, srgb = ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB")
            converted = ImageCms.profileToProfile(scene(), srgb, lab, outputMode="LAB")
            assert converted is not None
            picture, expected = converted, scene()
        case "1" | "L" | "LA" | "F":
            picture = grey.convert(mode)
            expected = picture.convert("L")
        case _:
            picture = scene().convert("RGB").convert("P" if mode == "PA" else mode).convert(mode)
            expected = picture.convert("RGB")
    assert picture.mode == mode
    kind = "PNG" if mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16") else "TIFF"
    assert distance(preprocess.decode(saved(picture, kind)), np.asarray(expected.convert("RGB"))) < 3


def test_a_16_bit_png_is_scaled_and_not_clipped() -> None:
    wide = np.linspace(0, 65535, 64 * 64).astype(np.uint16).reshape(64, 64)
    decoded = preprocess.decode(saved(Image.fromarray(wide)))
    assert np.array_equal(decoded[..., 0], wide >> 8)


def test_a_float_tiff_with_nan_is_no_surprise() -> None:
    floats = np.full((4, 4), 300.0, np.float32)
    floats[0, 0], floats[0, 1] = np.nan, -np.inf
    decoded = preprocess.decode(saved(Image.fromarray(floats), "TIFF"))
    assert decoded[0, 0, 0] == decoded[0, 1, 0] == 0 and decoded[3, 3, 0] == 255


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_what_is_transparent_is_white(mode: str) -> None:
    clear = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    clear.paste((255, 0, 0, 255), (0, 0, 4, 8))
    decoded = preprocess.decode(saved(clear.convert(mode)))
    assert tuple(decoded[0, 7]) == (255, 255, 255)
    assert tuple(decoded[0, 0]) != (255, 255, 255)


def test_a_colour_key_is_transparency_too() -> None:
    keyed = saved(Image.new("RGB", (8, 8), (1, 2, 3)), transparency=(1, 2, 3))
    assert preprocess.decode(keyed).min() == 255


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "PNG", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(orientation: int, kind: str) -> None:
    turned = {
        1: scene(),
        2: scene().transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: scene().transpose(Image.Transpose.ROTATE_180),
        4: scene().transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: scene().transpose(Image.Transpose.TRANSPOSE),
        6: scene().transpose(Image.Transpose.ROTATE_90),
        7: scene().transpose(Image.Transpose.TRANSVERSE),
        8: scene().transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = preprocess.decode(saved(turned, kind, exif=exif.tobytes()))
    assert distance(decoded, np.asarray(scene())) < 8


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_damaged_exif_around_a_sound_picture_is_ignored() -> None:
    data = saved(scene(), "JPEG", exif=b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\xff\xff\x01\x12")
    assert preprocess.decode(data).shape == (64, 96, 3)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(kind: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in ((250, 0, 0), (0, 250, 0), (0, 0, 250))]
    data = saved(frames[0], kind, save_all=True, append_images=frames[1:])
    assert distance(preprocess.decode(data), np.asarray(frames[0])) < 8


@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "GIF", "PNG"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused(kind: str, part: float) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8))
    data = saved(noise, kind)
    with pytest.raises(ImageError, match=r"^image: ") as caught:
        preprocess.decode(data[: int(len(data) * part)])
    assert "\n" not in str(caught.value)
    assert not ImageFile.LOAD_TRUNCATED_IMAGES


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_size_is_judged_by_the_header_alone() -> None:
    assert preprocess.MAX_PIXELS == 50_000_000
    for width, height in ((50_000, 50_000), (10_000, 5_001), (2_147_483_647, 2_147_483_647)):
        with pytest.raises(ImageError, match=r"too large|broken header"):
            preprocess.decode(header_of(width, height))
    with pytest.raises(ImageError, match="truncated"):
        preprocess.decode(header_of(200, 200))


def test_a_bomb_of_one_colour_is_refused_before_it_bursts() -> None:
    bomb = saved(Image.new("1", (9_000, 6_000)), "PNG")
    assert len(bomb) < 20_000
    with pytest.raises(ImageError, match="9000x6000 is over 50 megapixels"):
        preprocess.decode(bomb)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"GIF89a",
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
        b"<svg/>",
        b"\xff\xd8\xff",
    ],
)
def test_what_is_no_picture_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ImageError, match=r"^image: (empty|not a picture|broken)"):
        preprocess.decode(data)


@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
@pytest.mark.parametrize("kind", ["JPEG", "WEBP", "BMP", "TIFF", "GIF", "PNG"])
def test_mutations_are_pictures_or_refused(kind: str) -> None:
    """Whatever the bytes: pixels or an ImageError of one line, never anything else."""
    chance, data = np.random.default_rng(7), saved(scene(), kind)
    refused = 0
    for _ in range(60):
        mutated = bytearray(data)
        for place in chance.integers(0, len(data), chance.integers(1, 12)):
            mutated[place if chance.random() < 0.5 else place % 64] = chance.integers(0, 256)
        try:
            assert preprocess.prepare(bytes(mutated), SPEC).shape == (32, 48, 3)
        except ImageError as error:
            refused += 1
            assert "\n" not in str(error)
    assert refused > 0


SIZES = ((640, 360), (47, 31), (48, 32), (1, 1), (3000, 10), (97, 65))


def whole(data: bytes) -> Pixels:
    return preprocess.resize(preprocess.decode(data), SPEC)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "BMP", "TIFF", "GIF"])
def test_prepare_is_resize_of_decode(kind: str) -> None:
    for size in SIZES:
        data = saved(scene(*size), kind)
        assert np.array_equal(preprocess.prepare(data, SPEC), whole(data))


def test_a_jpeg_is_decoded_no_larger_than_needed_and_looks_the_same() -> None:
    for size in (*SIZES, (1920, 1080), (448, 300)):
        data = saved(photo(*size), "JPEG")
        assert_as_if_whole(data, size)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_turned_jpeg_is_scaled_by_its_own_sides(orientation: int) -> None:
    """90 x 300 is far too narrow to be halved when it lies on its side, and a quarter of 300 x 400 is not."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    for size in ((90, 300), (300, 90), (300, 400), (400, 300)):
        data = saved(photo(*size), "JPEG", exif=exif.tobytes())
        assert_as_if_whole(data, size if orientation < 5 else size[::-1])


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_scaled_decoding_knows_all_colours(mode: str) -> None:
    data = saved(photo(640, 480).convert(mode), "JPEG")
    assert distance(preprocess.prepare(data, SPEC), whole(data)) < 2


def assert_as_if_whole(data: bytes, size: tuple[int, int]) -> None:
    pixels, seen = preprocess.look(data, SPEC)
    assert seen == size
    assert distance(pixels, whole(data)) < 3.5
    if size[0] < 2 * SPEC.width or size[1] < 2 * SPEC.height:
        assert np.array_equal(pixels, whole(data)), "with half of it there would be too little"


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Detail at all scales, most of it coarse, as in photographs."""
    draw = np.random.default_rng(seed)
    layers = [
        draw.integers(0, 256, (max(1, height // step), max(1, width // step), 3)) for step in (64, 16, 4)
    ]
    scaled = [Image.fromarray(one.astype(np.uint8)).resize((width, height)) for one in layers]
    mixed = sum(np.asarray(one, float) * weight for one, weight in zip(scaled, (0.6, 0.3, 0.1), strict=True))
    return Image.fromarray(np.asarray(mixed).astype(np.uint8))


def test_the_right_size_is_left_alone() -> None:
    pixels = np.asarray(scene(48, 32))
    assert np.array_equal(preprocess.resize(pixels, SPEC), pixels)


def test_the_whole_frame_is_seen_and_antialiased() -> None:
    wide = np.zeros((90, 1600, 3), np.uint8)
    wide[:, -40:] = 255
    assert preprocess.resize(wide, SPEC)[:, -1].min() > 200
    stripes = np.zeros((320, 480, 3), np.uint8)
    stripes[:, ::2] = 255
    assert np.abs(preprocess.resize(stripes, SPEC).astype(int) - 127).max() < 8


def test_a_spec_goes_through_json() -> None:
    assert SPEC.to_json() == {"version": 3, "width": 48, "height": 32, "filter": "bilinear"}
    for spec in (SPEC, Preprocess(48, 32, "lanczos")):
        assert Preprocess.from_json(spec.to_json()) == spec


def test_what_was_written_before_there_were_filters_is_read() -> None:
    assert Preprocess.from_json({"version": 2, "width": 48, "height": 32}) == SPEC


def test_a_sharper_filter_keeps_more_of_what_is_small() -> None:
    dot = np.zeros((64, 96, 3), np.uint8)
    dot[30:32, 44:46] = 255
    seen = [int(preprocess.resize(dot, Preprocess(48, 32, how)).max()) for how in get_args(Filter)]
    assert seen == sorted(seen) and seen[0] < seen[2]


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"version": 1}, "version"),
        ({"version": None}, "version"),
        ({"width": 0}, "width"),
        ({"height": "32"}, "height"),
        ({"height": True}, "height"),
        ({"width": 100_000}, "width"),
        ({"filter": "nearest"}, "filter"),
        ({"filter": None}, "filter"),
    ],
)
def test_a_wrong_spec_names_its_key(change: dict[str, Any], key: str) -> None:
    with pytest.raises(BundleError, match=rf"preprocess\.{key}: "):
        Preprocess.from_json(SPEC.to_json() | change)
