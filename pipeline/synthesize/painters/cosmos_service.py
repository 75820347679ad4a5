"""NVIDIA's inference service of Cosmos Transfer 2.5: a case goes in as a video, a frame comes back."""

import base64
import tempfile
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image
from urllib3 import PoolManager, Retry
from urllib3.exceptions import HTTPError, ReadTimeoutError

from inference_runtime.errors import Fixable
from pipeline import params
from pipeline.synthesize import frames
from pipeline.synthesize.order import Declined, Mode, Order, PainterDown, PainterSilent, Painting

MODEL = "cosmos-transfer2.5-2b"
WIDTH, HEIGHT = 1280, 720
FPS = 10.0
SEEDS = 2**31
BUSY = {429, 502, 503, 504}
REFUSED = {400, 401, 403, 404, 422}


class Service:
    modes: frozenset[Mode] = frozenset({"image"})
    batch = 1

    def __init__(self, settings: params.CosmosService) -> None:
        self._settings = settings

    def price(self, order: Order) -> float:
        return self._settings.usd

    def paint(self, orders: Sequence[Order]) -> list[Painting | Declined]:
        return [self._painted(order) for order in orders]

    def _painted(self, order: Order) -> Painting | Declined:
        settings = self._settings
        said = self._infer(
            {
                "prompt": order.prompt,
                "negative_prompt": order.negative,
                "video": base64.b64encode(video(frames.case(order.case, WIDTH, HEIGHT))).decode(),
                "resolution": settings.resolution,
                "guidance": settings.guidance,
                "num_steps": settings.steps,
                "seed": order.seed % SEEDS,
                "edge": {"control_weight": 1.0},  # the service draws the outlines itself
            }
        )
        frame = first_frame(base64.b64decode(said.get("b64_video") or ""))
        if frame is None:
            return Declined("answered without a video", settings.usd)
        return Painting(frames.jpeg(frame), MODEL, None, settings.usd)

    def _infer(self, body: dict[str, Any]) -> dict[str, Any]:
        url = f"{self._settings.url.rstrip('/')}/v1/infer"
        try:
            answer = self._http.request("POST", url, json=body, timeout=self._settings.timeout)
        except ReadTimeoutError:
            raise PainterSilent(f"{url}: no answer in {self._settings.timeout} s") from None
        except HTTPError as error:
            raise PainterDown(f"{url}: nobody answers ({type(error).__name__}); is the service up?") from None
        if answer.status == 200:
            return dict(answer.json())
        line = (
            f"{url}: answered {answer.status}: {' '.join(answer.data.decode(errors='replace').split())[:200]}"
        )
        raise Fixable(line) if answer.status in REFUSED else PainterDown(line)

    @cached_property
    def _http(self) -> PoolManager:
        # Only what says "not now" is asked again: a request that was read may have been painted.
        tries = Retry(
            total=3, read=False, allowed_methods=None, status_forcelist=BUSY, backoff_factor=0.5,
            raise_on_status=False,
        )  # fmt: skip
        return PoolManager(retries=tries)


def video(picture: Image.Image) -> bytes:
    """The picture as an mp4 of a second, standing still."""
    bgr = cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2BGR)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "case.mp4"
        writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"mp4v"), FPS, picture.size)
        for _ in range(int(FPS)):
            writer.write(bgr)
        writer.release()
        return file.read_bytes()


def first_frame(mp4: bytes) -> Image.Image | None:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(mp4)
        file.flush()
        found, frame = cv2.VideoCapture(file.name).read()
    return Image.fromarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)) if found else None
