"""Replicas under Ray Serve answer what the server answers, and go on answering when one of them is killed."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from inference_runtime.bundle import Bundle
from inference_runtime.entries import Entry, read, segments
from inference_runtime.predictor import Predictor
from inference_runtime.ray_app.__main__ import main

ROOT = Path(__file__).parents[2]
RAY = ROOT / ".envs" / "ray" / "bin" / "python"

needs_ray = pytest.mark.skipif(not RAY.exists(), reason="Ray is not here; make env-ray")


@dataclass
class Application:
    process: subprocess.Popen[str]
    port: int

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def pids(self) -> set[int]:
        return {self.ask("GET", "/v1/models")[1]["pid"] for _ in range(30)}


@pytest.fixture
def scaled(tmp_path: Path) -> Iterator[Callable[..., Application]]:
    started: list[subprocess.Popen[str]] = []

    def run(*bundles: Bundle) -> Application:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        named = [text for one in bundles for text in ("--bundle", f"{one.folder.name}={one.folder}")]
        process = subprocess.Popen(
            [str(RAY), "-m", "inference_runtime.ray_app", *named, "--replicas", "2-2",
             "--journal", str(tmp_path / "journal"), "--port", str(port)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        )  # fmt: skip
        started.append(process)
        assert process.stdout is not None
        said = next((line for line in process.stdout if "serving" in line), "")
        assert said, process.communicate()[1][-3000:]
        return Application(process, port)

    yield run
    for process in started:
        process.terminate()
        try:
            process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()


@needs_ray
@pytest.mark.slow
def test_two_replicas_answer_as_the_server_does_and_outlive_one_of_them(
    scaled: Callable[..., Application],
    make_bundle: Callable[..., Bundle],
    make_picture: Callable[..., bytes],
    start: Callable[..., Any],
    tmp_path: Path,
) -> None:
    plain, steep = make_bundle("plain"), make_bundle("steep", gain=20.0)
    server = start(plain)
    application = scaled(plain, steep)
    pictures = [make_picture(40 + 15 * n, seed=n) for n in range(12)]
    for data in pictures:
        (status, ours), (_, theirs) = application.ask("POST", "/v1/predict", data), server.predict(data)
        assert status == 200 and ours | {"entry": ""} == theirs | {"entry": ""}
    (expected,) = Predictor(steep).predict(pictures[:1])
    other = application.ask("POST", "/v1/predict", pictures[0], serve_multiplexed_model_id="steep")[1]
    assert (other["bundle"], other["p"]) == (steep.id, expected.p)
    assert application.ask("POST", "/v1/predict", pictures[0], serve_multiplexed_model_id="no")[0] == 404
    assert application.ask("POST", "/v1/predict", b"no image")[0] == 422

    before = application.pids()
    assert len(before) == 2
    os.kill(before.pop(), signal.SIGKILL)
    answers = [application.ask("POST", "/v1/predict", data) for data in pictures * 3]
    wanted = [server.predict(data)[1]["p"] for data in pictures] * 3
    failed = sum(status != 200 for status, _ in answers)
    assert failed <= 2, "no more than were with the one that was killed"
    assert all(said["p"] == p for (status, said), p in zip(answers, wanted, strict=True) if status == 200)
    until = time.monotonic() + 60
    while len(application.pids()) < 2:
        assert time.monotonic() < until, "the killed one comes back"
    found = [one for file in segments(tmp_path / "journal") for one in read(file)]
    ids = {one.id for one in found if isinstance(one, Entry)}
    assert {said["entry"] for status, said in answers if status == 200} <= ids, "kill or no kill"


def test_what_can_not_start_is_one_line(
    make_bundle: Callable[..., Bundle], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--bundle", str(tmp_path)]) == 1
    assert "bundle.json" in capsys.readouterr().err


@pytest.mark.skipif("ray" in sys.modules, reason="Ray is here")
def test_without_ray_the_remedy_is_said(make_bundle: Callable[..., Bundle], capsys: Any) -> None:
    assert main(["--bundle", str(make_bundle().folder)]) == 1
    assert "make env-ray" in capsys.readouterr().err
