"""Real little films, encoded here, are answered by their keyframes; bad ones get one line."""

import base64
import json
import struct
import time
from collections.abc import Callable, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from inference_runtime import film as reader
from inference_runtime import images, video
from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable, ImageError
from inference_runtime.picture import Picture as Named
from inference_runtime.predictor import Answer, Predictor
from inference_runtime.video import Sampling

av = pytest.importorskip("av", reason="make setup brings av")
Make = Callable[..., Bundle]
# The library looks like one that is not installed.
WITHOUT = "import sys; sys.modules['av'] = None\n"


def film(
    greys: Sequence[int], fps: int = 4, size: tuple[int, int] = (64, 48), gop: int = 4, codec: str = "libx264"
) -> bytes:
    """One second of each grey, brighter at the left."""
    file = BytesIO()
    with av.open(file, "w", format="mp4") as container:
        track = container.add_stream(codec, rate=fps)
        track.width, track.height = size
        track.pix_fmt, track.gop_size = "yuv420p", gop
        track.codec_context.options = {"sc_threshold": "0"} if codec == "libx264" else {}
        slope = np.linspace(20, -20, size[0])[None, :, None]
        for grey in greys:
            pixels = (np.full((size[1], size[0], 3), float(grey)) + slope).clip(0, 255).astype(np.uint8)
            for _ in range(fps):
                container.mux(track.encode(av.VideoFrame.from_ndarray(pixels, "rgb24")))
        container.mux(track.encode(None))
    return file.getvalue()


def stills(data: bytes, fps: float = 1.0) -> list[tuple[float, Image.Image]]:
    return [(at, Image.open(BytesIO(jpeg))) for at, jpeg in reader.stills(data, fps, 30.0)]


def grey_of(picture: Image.Image) -> float:
    return float(np.asarray(picture.convert("L")).mean())


def test_keyframes_at_one_a_second() -> None:
    seen = stills(film([40, 120, 200]))
    assert [at for at, _ in seen] == [0, 1, 2]
    assert [grey_of(picture) for _, picture in seen] == pytest.approx([40, 120, 200], abs=8)
    assert [at for at, _ in stills(film([40, 120, 200]), 0.5)] == [0, 2]
    assert [at for at, _ in stills(film([9, 99, 200], gop=8))] == [0, 2], "only keyframes are decoded"


def test_every_frame_of_an_all_key_film_counts_but_not_more_than_asked() -> None:
    dense = film([40, 200], gop=1)
    assert [at for at, _ in stills(dense)] == [0, 1]
    assert [at for at, _ in stills(dense, 2)] == [0, 0.5, 1, 1.5]


def test_a_film_that_was_held_sideways_is_upright() -> None:
    flat = film([128])
    matrix = flat.index(b"tkhd") + 44
    turned = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)
    [(_, picture)] = stills(flat[:matrix] + turned + flat[matrix + 36 :])
    assert picture.size == (48, 64)
    shown = np.asarray(picture.convert("L")).astype(float)
    assert shown[:8].mean() > shown[-8:].mean() + 20, "what was left is on top after a quarter turn clockwise"


def test_large_frames_are_made_smaller() -> None:
    [(_, picture)] = stills(film([128], fps=1, size=(2560, 1440)))
    assert picture.size == (1280, 720)


@pytest.mark.parametrize("how", ["raw", "video", "image", "images", "form"])
def test_a_film_is_answered_per_frame_and_as_a_whole(
    how: str, make_bundle: Make, make_picture: Callable[..., bytes], start: Callable[..., Any]
) -> None:
    bundle, data, picture = make_bundle(), film([40, 120, 230]), make_picture()
    server = start(bundle)
    text = base64.b64encode(data).decode()
    form = b"--b\r\n\r\n" + data + b"\r\n--b--\r\n"
    bodies: dict[str, Any] = {
        "raw": data,
        "video": json.dumps({"video": text}),
        "image": json.dumps({"image": text}),
        "images": json.dumps({"images": [base64.b64encode(picture).decode(), text]}),
        "form": form,
    }
    kind = {"Content-Type": "multipart/form-data; boundary=b"} if how == "form" else {}
    status, said = server.ask("POST", "/v1/predict", bodies[how], **kind)
    assert status == 200, said
    if how in ("images", "form"):
        (*before, said) = said["answers"]
        assert [one["image"] for one in before] == ([Named(picture).name()] if how == "images" else [])
    assert (said["video"], said["bundle"]) == (Named(data).name(), bundle.id)
    assert [frame["at"] for frame in said["frames"]] == [0, 1, 2]
    each = [frame["p"] for frame in said["frames"]]
    assert each == sorted(each) and each[0] < 0.2 and each[2] > 0.8
    assert said["p"] == pytest.approx(sum(each) / 3) and said["label"] == bundle.classes[said["p"] > 0.5]
    server.stop()
    entries = {entry.id: entry for entry in server.entries()}
    for frame in said["frames"]:
        entry = entries[frame["entry"]]
        kept = images.place(server.journal / "images", frame["image"]).read_bytes()
        (answer,) = Predictor(bundle, threads=1).predict([kept])
        assert isinstance(answer, Answer) and answer.p == pytest.approx(frame["p"], abs=1e-6) == entry.p


def test_without_the_extra_it_says_which(
    make_bundle: Make, make_picture: Callable[..., bytes], start: Callable[..., Any]
) -> None:
    server = start(make_bundle(), prelude=WITHOUT)
    status, said = server.predict(film([128]))
    assert status == 415 and "retrain-72[video]" in said["error"]
    assert server.predict(make_picture())[0] == 200


def test_bad_films_get_one_line_and_cost_nobody_else(
    make_bundle: Make, make_picture: Callable[..., bytes], start: Callable[..., Any]
) -> None:
    good = film([128, 40])
    server = start(make_bundle(), more=["--video-seconds", "3"])
    bad = {
        "truncated": good[: len(good) // 3],
        "only a head": good[:40],
        "no picture track": good.replace(b"vide", b"soun"),
        "noise": good[:40] + np.random.default_rng(72).bytes(3000),
        "too long": film([0] * 5, fps=1, gop=1),
    }
    for name, data in bad.items():
        status, said = server.predict(data)
        assert status == 422 and said["error"].startswith("video: ") and "\n" not in said["error"], (
            name,
            said,
        )
    draw = np.random.default_rng(7)
    for _ in range(60):
        altered = bytearray(good)
        for place in draw.integers(0, len(good), 20):
            altered[place] = draw.integers(256)
        status, said = server.predict(bytes(altered))
        assert status in (200, 422), said
    both = [base64.b64encode(one).decode() for one in (bad["truncated"], make_picture())]
    status, said = server.predict(json.dumps({"images": both}))
    assert status == 200 and "error" in said["answers"][0] and "p" in said["answers"][1]
    many = [base64.b64encode(film([128, 40], gop=1)).decode()] * 40
    assert server.predict(json.dumps({"images": many}))[0] == 400
    assert "Traceback" not in server.stop()[1]


def children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def test_a_film_keeps_the_deadline_and_leaves_no_reader_behind(
    make_bundle: Make, start: Callable[..., Any]
) -> None:
    slow = """
import sys
import inference_runtime.video as video
video.PROGRAM = (sys.executable, "-c", "import time; time.sleep(60)")
"""
    server = start(make_bundle(), prelude=slow)
    status, _ = server.ask("POST", "/v1/predict", film([9]), **{"X-Deadline-Ms": "300"})
    assert status == 504
    for _ in range(500):
        if not children(server.process.pid):
            break
        time.sleep(0.01)
    assert not children(server.process.pid)
    assert server.ask("GET", "/healthz")[0] == 200


@pytest.mark.parametrize("death", ["os.abort()", "bytes(10 << 30)"])
def test_a_film_that_takes_its_reader_down_takes_nobody_else(
    death: str, make_bundle: Make, make_picture: Callable[..., bytes], start: Callable[..., Any]
) -> None:
    fatal = f"""
import sys
import inference_runtime.video as video
video.PROGRAM = (sys.executable, "-c",
    "import os, sys, inference_runtime.film as film; film.stills = lambda *_: {death}; film.main(1.0, 9.0)")
"""
    server = start(make_bundle(), prelude=fatal)
    status, said = server.predict(film([128]))
    assert status == 422 and "reader down" in said["error"]
    assert server.predict(make_picture())[0] == 200


def test_frames_over_the_limit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "PIXELS", 64 * 48 - 1)
    with pytest.raises(ImageError, match="64x48 is over"):
        stills(film([128]))


def test_more_frames_than_an_answer_holds_are_not_asked_for() -> None:
    for fps, seconds in ((2.0, 60.0), (0.0, 60.0), (1.0, -1.0), (float("nan"), 1.0)):
        with pytest.raises(Fixable, match="--video-fps"):
            Sampling(fps, seconds)


def test_pictures_in_the_same_container_are_pictures() -> None:
    assert video.is_video(film([128]))
    assert not video.is_video(b"\0\0\0\x20ftypavif" + bytes(40))
    assert not video.is_video(b"\xff\xd8\xff\xe0\0\x10JFIF")
