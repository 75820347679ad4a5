"""The client that judges servers must be right: it counts what is wrong, and waits from when one was due."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from listening import Listening, Speaker
from PIL import Image

from benchmarks.serving import pictures
from benchmarks.serving.load import Load, Order, Outcome
from benchmarks.serving.pictures import body, whole

Reply = Callable[[int, bytes], tuple[int, float]]


@pytest.fixture
def jpegs(tmp_path: Path) -> list[bytes]:
    return [file.read_bytes() for file in pictures.write(tmp_path / "pictures", 3, shrink=8)]


class Stub(Listening):
    """Answers what `reply` makes of the request's number and body."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.bodies: list[bytes] = []
        super().__init__(Handler)


class Handler(Speaker):
    server: Stub
    idle: float | None = None  # seconds between two requests, and none that one may take

    def do_POST(self) -> None:
        self.connection.settimeout(None)
        data = self.body()
        self.server.bodies.append(data)
        status, p = self.server.reply(len(self.server.bodies), data)
        self.say(status, {"p": p})
        self.connection.settimeout(self.idle)


@pytest.fixture
def stub() -> Iterator[Callable[[Reply], Stub]]:
    with ExitStack() as started:
        yield lambda reply: started.enter_context(Stub(reply))


def asked(stub: Stub, jpegs: list[bytes], mode: str = "raw", clients: int = 3, rate: float = 0.0) -> Outcome:
    order = Order(stub.server_port, "/", mode, "ours", clients, seconds=0.6, warm=0.1, rate=rate)
    return Load(order, [body(jpeg, mode) for jpeg in jpegs], [0.5] * len(jpegs), first=0).run()


@pytest.mark.parametrize("mode", ["raw", "json"])
def test_every_request_is_another_file_of_the_same_picture(
    stub: Callable[[Reply], Stub], jpegs: list[bytes], mode: str, tmp_path: Path
) -> None:
    server = stub(lambda n, data: (200, 0.5))
    outcome = asked(server, jpegs, mode)
    assert len(outcome.ms) > 20 and outcome.wrong == outcome.refused == outcome.broken == 0
    images = [
        data if mode == "raw" else base64.b64decode(json.loads(data)["image"]) for data in server.bodies
    ]
    assert len({hashlib.sha256(image).digest() for image in images}) == len(images)
    files = [tmp_path / "a.jpg", tmp_path / "b.jpg"]
    for file, data in zip(files, (jpegs[0], whole(jpegs[0], "raw", 7)), strict=True):
        file.write_bytes(data)
    assert len({Image.open(file).tobytes() for file in files}) == 1


def test_wrong_answers_and_refusals_do_not_count(stub: Callable[[Reply], Stub], jpegs: list[bytes]) -> None:
    def reply(n: int, data: bytes) -> tuple[int, float]:
        return (200, 0.6) if n % 3 == 0 else (500, 0.5) if n % 3 == 1 else (200, 0.5)

    server = stub(reply)
    outcome = asked(server, jpegs, clients=1)
    assert outcome.wrong > 5 and outcome.refused > 5
    assert len(outcome.ms) <= len(server.bodies) - outcome.wrong - outcome.refused


def test_an_open_loop_waits_from_when_a_request_was_due(
    stub: Callable[[Reply], Stub], jpegs: list[bytes]
) -> None:
    one_at_a_time = threading.Lock()

    def reply(n: int, data: bytes) -> tuple[int, float]:
        with one_at_a_time:
            time.sleep(0.02)
        return 200, 0.5

    outcome = asked(stub(reply), jpegs, clients=2, rate=100)
    # Twice what it can take: with two connections a closed loop would never see more than about 40 ms.
    assert max(outcome.ms) > 150 and outcome.unanswered == 0


def test_a_server_may_close_what_is_idle(
    stub: Callable[[Reply], Stub], jpegs: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Handler, "idle", 0.03)
    outcome = asked(stub(lambda n, data: (200, 0.5)), jpegs, rate=15)
    assert outcome.ms and outcome.broken == outcome.unanswered == 0


def test_an_answer_cut_short_is_broken(stub: Callable[[Reply], Stub], jpegs: list[bytes]) -> None:
    def reply(n: int, data: bytes) -> tuple[int, float]:
        if n % 2:
            raise ConnectionAbortedError
        return 200, 0.5

    outcome = asked(stub(reply), jpegs, rate=40)
    assert outcome.ms and outcome.broken > 5 and outcome.unanswered == 0
