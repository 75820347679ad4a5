"""The inference service's protocol, against a server on loopback that checks what it is sent."""

import base64
import json
import tempfile
import threading
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import pytest
from listening import Listening, Speaker
from PIL import Image

from inference_runtime import preprocess
from inference_runtime.errors import Fixable
from pipeline.params import Synthesize
from pipeline.synthesize.order import Declined, Order, PainterDown, PainterSilent, Painting
from pipeline.synthesize.painters import cosmos_service
from pipeline.synthesize.painters.cosmos_service import Service

FIELDS = {"prompt": str, "negative_prompt": str, "video": str, "resolution": str, "guidance": float}
FIELDS |= {"num_steps": int, "seed": int, "edge": dict}


class Nim(Listening):
    def __init__(self) -> None:
        super().__init__(Handler)
        self.moods: list[str] = []
        self.asked = 0


class Handler(Speaker):
    server: Nim

    def do_POST(self) -> None:
        body = json.loads(self.body())
        self.server.asked += 1
        match self.server.moods.pop(0) if self.server.moods else "paints":
            case "busy":
                self.say(503, {"detail": "busy"})
            case "refuses":
                self.say(422, {"detail": "resolution: not one of 256, 480, 720"})
            case "empty":
                self.say(200, {"b64_video": "", "seed": 1})
            case "sleeps":
                threading.Event().wait(3)
            case _:
                self._paint(body)

    def _paint(self, body: dict[str, Any]) -> None:
        wrong = {key for key, kind in FIELDS.items() if not isinstance(body.get(key), kind)}
        if wrong or set(body) != set(FIELDS) or self.path != "/v1/infer":
            return self.say(422, {"detail": sorted(wrong or set(body) ^ set(FIELDS))})
        frames = _frames(base64.b64decode(body["video"]))
        dark = Image.fromarray((frames[0] * 0.4).astype(np.uint8))
        video = base64.b64encode(cosmos_service.video(dark)).decode()
        return self.say(200, {"b64_video": video, "seed": body["seed"]})


def _frames(mp4: bytes) -> list[Any]:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(mp4)
        file.flush()
        video, frames = cv2.VideoCapture(file.name), []
        while (read := video.read())[0]:
            frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2RGB))
    return frames


@pytest.fixture
def nim() -> Iterator[Nim]:
    with Nim() as server:
        yield server


@pytest.fixture
def painter(nim: Nim, settings: Callable[..., Synthesize]) -> Service:
    url = f"http://127.0.0.1:{nim.server_port}/"
    return Service(settings(cosmos_service={"url": url, "timeout": 1, "usd": 0.02}).cosmos_service)


Orders = Callable[..., Order]


def test_a_case_goes_as_a_video_and_a_picture_comes_back(painter: Service, order: Orders) -> None:
    [one] = painter.paint([order("cosmos_service", "image")])
    assert isinstance(one, Painting)
    pixels = preprocess.decode(one.data)
    assert pixels.shape == (720, 1280, 3) and one.usd == 0.02
    assert pixels.mean() < 90  # the server made it dark


def test_busy_is_asked_again(painter: Service, nim: Nim, order: Orders) -> None:
    nim.moods = ["busy"]
    assert isinstance(painter.paint([order("cosmos_service", "image")])[0], Painting)
    assert nim.asked == 2


@pytest.mark.parametrize(
    ("mood", "kind", "says"),
    [("refuses", Fixable, "422.*resolution"), ("sleeps", PainterSilent, "no answer in 1 s")],
)
def test_what_it_says_reaches_the_operator(
    painter: Service, nim: Nim, order: Orders, mood: str, kind: type[Exception], says: str
) -> None:
    nim.moods = [mood]
    with pytest.raises(kind, match=says):
        painter.paint([order("cosmos_service", "image")])
    assert nim.asked == 1  # what may have been painted is not asked again


def test_an_answer_without_a_video_is_declined(painter: Service, nim: Nim, order: Orders) -> None:
    nim.moods = ["empty"]
    [one] = painter.paint([order("cosmos_service", "image")])
    assert one == Declined("answered without a video", 0.02)


def test_nobody_there_is_down(settings: Callable[..., Synthesize], order: Orders) -> None:
    gone = Service(settings(cosmos_service={"url": "http://127.0.0.1:9"}).cosmos_service)
    with pytest.raises(PainterDown, match="nobody answers"):
        gone.paint([order("cosmos_service", "image")])
