"""Two thousand pictures and bodies that somebody broke: 4xx with one line, never 500, never much memory."""

import base64
import http.client
import json
import math
import random
import struct
import threading
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inference_runtime.bundle import Bundle

SEED = 72
COUNT = 2000
CLIENTS = 4
# Of the whole server, whatever it is sent: a picture of the largest size is opened while another is resized.
PEAK_MIB = 800
REFUSALS = range(400, 500)
LINE = 400

Make = Callable[..., Bundle]
Draw = random.Random


def saved(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def street(seed: int = 0) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 60, (48, 64, 3))
    return Image.fromarray((np.linspace(20, 190, 64)[None, :, None] + noise).astype(np.uint8))


def with_orientation(turn: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = turn
    return saved(street(), "JPEG", exif=exif)


def sound() -> dict[str, bytes]:
    """Rare, but pictures: each of them is answered."""
    rgb, grey = street(), street().convert("L")
    alpha, frames = rgb.convert("RGBA"), [street(n) for n in range(1, 4)]
    alpha.putalpha(grey)
    deep = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    return {
        "jpeg": saved(rgb, "JPEG"),
        "progressive jpeg": saved(rgb, "JPEG", progressive=True),
        "grey jpeg": saved(grey, "JPEG"),
        "cmyk jpeg": saved(rgb.convert("CMYK"), "JPEG"),
        **{f"jpeg turned {turn}": with_orientation(turn) for turn in (2, 3, 6, 8)},
        "jpeg and more": saved(rgb, "JPEG") + b"\0" * 1000,
        "png": saved(rgb, "PNG"),
        "png with alpha": saved(alpha, "PNG"),
        "16-bit png": saved(deep, "PNG"),
        "palette png": saved(rgb.quantize(16), "PNG"),
        "palette png, see-through": saved(rgb.quantize(16), "PNG", transparency=3),
        "1-bit png": saved(grey.convert("1"), "PNG"),
        "animated png": saved(rgb, "PNG", save_all=True, append_images=frames),
        "animated gif": saved(rgb, "GIF", save_all=True, append_images=frames),
        "animated webp": saved(rgb, "WEBP", save_all=True, append_images=frames),
        "lossless webp": saved(alpha, "WEBP", lossless=True),
        "bmp": saved(rgb, "BMP"),
        "tiff": saved(rgb, "TIFF", compression="tiff_lzw"),
        "16-bit tiff": saved(deep, "TIFF"),
        "float tiff": saved(grey.convert("F"), "TIFF"),
        "cmyk tiff": saved(rgb.convert("CMYK"), "TIFF"),
        "one pixel": saved(Image.new("RGB", (1, 1)), "PNG"),
        "a thread": saved(Image.new("RGB", (4000, 1)), "PNG"),
    }


def png_of(width: int, height: int, rows: bytes, colour: int = 2) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", rows), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def resized_jpeg(width: int, height: int) -> bytes:
    """A JPEG whose header lies about its size."""
    jpeg = bytearray(saved(street(), "JPEG"))
    frame = jpeg.index(b"\xff\xc0")
    jpeg[frame + 5 : frame + 9] = struct.pack(">HH", height, width)
    return bytes(jpeg)


def hopeless() -> dict[str, bytes]:
    """Each of them is refused."""
    jpeg, text = saved(street(), "JPEG"), base64.b64encode(saved(street(), "JPEG")).decode()
    gif = bytearray(saved(street(), "GIF"))
    gif[6:10] = struct.pack("<HH", 50_000, 50_000)
    bmp = bytearray(saved(street(), "BMP"))
    bmp[18:26] = struct.pack("<ii", 50_000, 50_000)
    return {
        "nothing": b"",
        "zeros": bytes(5000),
        "half a jpeg": jpeg[: len(jpeg) // 2],
        "50k x 50k jpeg": resized_jpeg(50_000, 50_000),
        "50k x 50k png": png_of(50_000, 50_000, zlib.compress(bytes(1000))),
        "50k x 50k gif": bytes(gif),
        "50k x 50k bmp": bytes(bmp),
        "a bomb": png_of(20_000, 20_000, zlib.compress(bytes(20_000 * 3 + 1) * 2000, 9)),
        "text bomb": saved(street(), "PNG")[:33] + _text_chunk(64 << 20),
        "a page": b"<!doctype html><html><body>no</body></html>",
        "a pdf": b"%PDF-1.7\n" + bytes(500),
        "postscript": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
        "wrong base64": b'{"image": "!!!!"}',
        "short base64": json.dumps({"image": text[:-3]}).encode(),
        "base64 of nothing": b'{"image": ""}',
        "base64 of text": json.dumps({"image": base64.b64encode(b"text").decode()}).encode(),
        "deep JSON": b'{"image":' * 100_000,
        "deep list": b'{"image":' + b"[" * 500_000,
        "NaN": b'{"image": NaN}',
        "Infinity": b'{"image": -Infinity}',
        "a number": b'{"image": 1e999}',
        "a long number": b'{"image": ' + b"9" * 100_000 + b"}",
        "a list": b'{"image": ["' + text.encode() + b'"]}',
        "null": b'{"image": null}',
        "another key": json.dumps({"picture": text}).encode(),
        "half a surrogate": b'{"image": "\\ud800"}',
        "no UTF-8": b'{"image": "\xc3\x28"}',
        "not closed": json.dumps({"image": text}).encode()[:-1],
        "only a brace": b"{",
        "spaces": b" " * 10_000,
    }


def _text_chunk(size: int) -> bytes:
    data = b"Comment\0\0" + zlib.compress(bytes(size), 9)
    return struct.pack(">I", len(data)) + b"zTXt" + data + struct.pack(">I", zlib.crc32(b"zTXt" + data))


def mutated(data: bytes, draw: Draw) -> bytes:
    """One to three wounds."""
    for _ in range(draw.randint(1, 3)):
        if not data:
            break
        at, size = draw.randrange(len(data)), draw.randint(1, 40)
        match draw.randrange(7):
            case 0:
                data = data[:at]
            case 1:
                data = data[:at] + draw.randbytes(size) + data[at + size :]
            case 2:
                data = data[:at] + bytes(size) + data[at + size :]
            case 3:
                data = data[:at] + data[at + size :]
            case 4:
                data = data[:at] + data[at : at + size] * draw.randint(2, 20) + data[at + size :]
            case 5:
                near = draw.randrange(min(len(data), 64))  # headers lie here
                data = data[:near] + bytes([draw.randrange(256)]) + data[near + 1 :]
            case 6:
                data = data[at:] + data[:at]
    return data


def broken(count: int, draw: Draw) -> Iterator[bytes]:
    seeds = [*sound().values()]
    bodies = [json.dumps({"image": base64.b64encode(data).decode()}).encode() for data in seeds]
    for _ in range(count):
        yield mutated(draw.choice(seeds if draw.random() < 0.75 else bodies), draw)


class Asking:
    """One connection to a thread, made again when the server has closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._own = threading.local()

    def __call__(self, body: bytes) -> tuple[int, Any]:
        for _ in range(2):
            connection = getattr(self._own, "connection", None)
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)
                self._own.connection = connection
            try:
                connection.request("POST", "/v1/predict", body)
                response = connection.getresponse()
                return response.status, json.loads(response.read())
            except (http.client.HTTPException, OSError):
                connection.close()
                self._own.connection = None
        raise AssertionError("no answer")


def is_fair(status: int, said: Any) -> bool:
    if status == 200:
        return 0 <= said["p"] <= 1 and math.isfinite(said["p"])
    line = said["error"]
    return status in REFUSALS and 0 < len(line) <= LINE and "\n" not in line


def peak_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


@pytest.fixture
def server(make_bundle: Make, start: Callable[..., Any]) -> Any:
    return start(make_bundle())


def test_rare_pictures_are_answered(server: Any) -> None:
    ask = Asking(server.port)
    answers = {name: ask(data) for name, data in sound().items()}
    assert {name: said for name, (status, said) in answers.items() if status != 200} == {}
    assert all(is_fair(*answer) for answer in answers.values())


def test_the_hopeless_are_refused_with_one_line(server: Any) -> None:
    ask = Asking(server.port)
    answers = {name: ask(data) for name, data in hopeless().items()}
    unfair = {name: answer for name, answer in answers.items() if not is_fair(*answer) or answer[0] == 200}
    assert unfair == {}
    assert peak_mib(server.process.pid) < PEAK_MIB
    assert ask(sound()["jpeg"])[0] == 200


def test_the_largest_pictures_stay_within_memory(server: Any) -> None:
    side = 7000
    rows = zlib.compress(bytes(side * 4 + 1) * side, 6)
    with ThreadPoolExecutor(CLIENTS) as clients:
        statuses = {
            status for status, _ in clients.map(Asking(server.port), [png_of(side, side, rows, 6)] * 2)
        }
    assert statuses <= {200, 504}, "a slow machine may be late"
    assert peak_mib(server.process.pid) < PEAK_MIB


def test_two_thousand_mutations(server: Any) -> None:
    asked = list(broken(COUNT, random.Random(SEED)))
    with ThreadPoolExecutor(CLIENTS) as clients:
        answers = list(clients.map(Asking(server.port), asked))
    unfair = [
        (body[:60], answer) for body, answer in zip(asked, answers, strict=True) if not is_fair(*answer)
    ]
    assert unfair == []
    met = Counter(status for status, _ in answers)
    assert met[200] > 100 and met[400] > 100 and met[422] > 500, "some wounds are slight, most are not"
    assert peak_mib(server.process.pid) < PEAK_MIB
    assert server.process.poll() is None and "Traceback" not in server.stop()[1]
