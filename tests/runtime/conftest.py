"""Tiny real bundles and pictures: a model that says how bright a picture is."""

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import brightness
import numpy as np
import pytest
from PIL import Image

from inference_runtime.bundle import Bundle
from inference_runtime.journal import Entry, read, segments

SIDE = 32
TOKEN = "open sesame"

# A prelude runs before the server, in its process.
RUN = "import sys; from inference_runtime.__main__ import main; sys.exit(main())"
SLOW_ENGINE = """
import time
from inference_runtime.engines.onnx import OnnxEngine
fast = OnnxEngine.logits
OnnxEngine.logits = lambda self, pixels: (time.sleep(0.15), fast(self, pixels))[1]
"""


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Another gain makes another bundle."""

    def make(
        name: str = "bundle",
        gain: float = 8.0,
        classes: tuple[str, str] = ("clear", "roadwork"),
        cascade: dict[str, Any] | None = None,
    ) -> Bundle:
        return brightness.sealed(
            tmp_path / name,
            SIDE,
            slope=gain / 255,
            offset=gain / 2,
            classes=classes,
            calibration={"temperature": 1.0, "bias": 0.0},
            lineage={"table": "0" * 64},
            cascade=cascade,
        )

    return make


@pytest.fixture
def make_picture() -> Callable[..., bytes]:
    """A JPEG of one grey, speckled by its seed so that no two are the same bytes."""

    def make(grey: int = 200, seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
        speckle = np.random.default_rng(seed).integers(-20, 20, (size[1], size[0], 3))
        pixels = (grey + speckle).clip(0, 255).astype(np.uint8)
        file = BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        return file.getvalue()

    return make


@dataclass
class Running:
    """A server in its own process."""

    process: subprocess.Popen[str]
    port: int
    admin_port: int
    journal: Path

    def ask(self, method: str, path: str, body: bytes | str | None = None, **headers: str) -> tuple[int, Any]:
        return asked(self.port, method, path, body, headers)

    def order(self, method: str, route: str, token: str = TOKEN, **body: Any) -> tuple[int, Any]:
        """At the admin door."""
        sent = json.dumps(body) if method == "POST" else None
        return asked(self.admin_port, method, f"/admin/{route}", sent, {"Authorization": f"Bearer {token}"})

    def predict(self, body: bytes | str) -> tuple[int, Any]:
        return self.ask("POST", "/v1/predict", body)

    def swap(self, folder: Path | str, token: str = TOKEN) -> tuple[int, Any]:
        return self.order("POST", "bundles", token, path=str(folder))

    def entries(self) -> list[Entry]:
        found = [one for file in segments(self.journal) for one in read(file)]
        assert all(isinstance(one, Entry) for one in found)
        return [one for one in found if isinstance(one, Entry)]

    def stop(self) -> tuple[int, str]:
        """Exit status and what was said on the way."""
        self.process.terminate()
        said = self.process.communicate(timeout=30)[1]
        return self.process.returncode, said


def asked(
    port: int, method: str, path: str, body: bytes | str | None, headers: dict[str, str]
) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


@pytest.fixture
def slow_engine() -> str:
    return SLOW_ENGINE


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts servers; none outlives the test."""
    started: list[subprocess.Popen[str]] = []

    def run(
        bundle: Bundle, prelude: str = "", threads: int = 2, token: str = TOKEN, more: Sequence[str] = ()
    ) -> Running:
        journal = tmp_path / "journal"
        command = [sys.executable, "-c", prelude + RUN, "serve", "--threads", str(threads)]
        command += ["--port", "0", "--admin-port", "0", *more]
        process = subprocess.Popen(
            [*command, "--bundle", str(bundle.folder), "--journal", str(journal)],
            env=os.environ | {"RUNTIME_ADMIN_TOKEN": token},
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stderr is not None
        first = next((line for line in process.stderr if "serving" in line), "it ended before it served")
        port = re.search(r"http://127\.0\.0\.1:(\d+)(?: and admin on http://127\.0\.0\.1:(\d+))?$", first)
        assert port, first
        return Running(process, int(port[1]), int(port[2] or 0), journal)

    yield run
    for process in started:
        process.kill()
        process.communicate()
