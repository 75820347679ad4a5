"""The server when the machine, the clients or the disk are not kind."""

import http.client
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inference_runtime.bundle import Bundle
from inference_runtime.journal import Journal, segments

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def test_a_full_queue_says_when_to_come_back(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], slow_engine: str
) -> None:
    short = "import inference_runtime.service as service; service.CAPACITY = 3\n"
    server = start(make_bundle(), prelude=slow_engine + short, threads=1)

    def ask(n: int) -> tuple[int, str | None]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        connection.request("POST", "/v1/predict", make_picture(seed=n))
        response = connection.getresponse()
        response.read()
        return response.status, response.headers["Retry-After"]

    with ThreadPoolExecutor(20) as clients:
        answers = list(clients.map(ask, range(20)))
    assert set(answers) == {(200, None), (429, "1")}
    accepted = answers.count((200, None))
    assert 3 <= accepted <= 16
    assert len(server.entries()) == accepted
    assert ask(99) == (200, None), "and then it serves again"


def test_sigterm_answers_what_is_under_way(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], slow_engine: str
) -> None:
    server = start(make_bundle(), prelude=slow_engine)
    idle = socket.create_connection(("127.0.0.1", server.port), timeout=10)
    with ThreadPoolExecutor(16) as clients:
        asked = [clients.submit(server.predict, make_picture(seed=n)) for n in range(16)]
        while server.ask("GET", "/v1/models")[1]["requests"] < 16:
            time.sleep(0.01)
        status, said = server.stop()
        assert [one.result()[0] for one in asked] == [200] * 16
    assert status == 0 and "16 answers journalled, 0 shed" in said
    assert len(server.entries()) == 16
    assert [file.suffix for file in segments(server.journal)] == [".log"]
    assert idle.recv(1) == b"", "an idle connection does not hold the drain up"
    with pytest.raises(ConnectionRefusedError):
        server.predict(make_picture())


def test_killed_under_load_every_answer_given_is_in_the_journal(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server = start(make_bundle())
    answered: list[str] = []

    def ask(client: int) -> None:
        for n in range(1000):
            try:
                answered.append(server.predict(make_picture(seed=client * 1000 + n))[1]["image"])
            except (OSError, http.client.HTTPException, ValueError):
                return

    with ThreadPoolExecutor(4) as clients:
        asking = [clients.submit(ask, client) for client in range(4)]
        while len(answered) < 40:
            time.sleep(0.01)
        server.process.kill()
        for one in asking:
            one.result()
    assert any(file.suffix == ".open" for file in segments(server.journal))
    Journal(server.journal).close()
    kept = [entry.image for entry in server.entries()]
    assert set(answered) <= set(kept) and len(kept) == len(set(kept))
    assert all(file.suffix == ".log" for file in segments(server.journal))


def test_a_full_disk_sheds_images_and_keeps_the_answers(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    no_file_over = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
    server = start(make_bundle(), prelude=no_file_over)
    large = [make_picture(seed=n, size=(320, 240)) for n in range(3)]
    small = make_picture(size=(32, 32))
    assert min(map(len, large)) > 4000 > len(small)
    for data in [large[0], small, large[1], large[2]]:
        assert server.predict(data)[0] == 200
    assert server.ask("GET", "/v1/models")[1]["journal"] == {"written": 4, "shed": 0, "images_shed": 3}
    assert [one.kept for one in server.entries()] == ["shed", "stored", "shed", "shed"]
    status, said = server.stop()
    assert status == 0 and said.count("images are left out") == 1, "said once a minute, not per answer"
    assert "Traceback" not in said


def test_a_disk_that_hangs_does_not_hold_answers_for_ever(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    hanging = """
import os, time
import inference_runtime.ledger as ledger
ledger.JOURNAL_SECONDS = 0.1
sync = os.fsync
os.fsync = lambda handle: (time.sleep(0.4), sync(handle))
"""
    server = start(make_bundle(), prelude=hanging)
    assert server.predict(make_picture())[0] == 200
    assert server.ask("GET", "/v1/models")[1]["journal"] == {"written": 0, "shed": 0, "images_shed": 0}
    assert server.stop()[0] == 0
    assert len(server.entries()) == 1, "late, but kept"


def test_a_failing_engine_is_a_500_and_no_crash(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], tmp_path: Path
) -> None:
    failing = f"""
import os
from inference_runtime.predictor import Predictor
plain = Predictor.answer
def answer(self, prepared):
    if os.path.exists({str(tmp_path / "fail")!r}): raise RuntimeError("boom")
    return plain(self, prepared)
Predictor.answer = answer
"""
    server = start(make_bundle(), prelude=failing)
    (tmp_path / "fail").touch()
    status, said = server.predict(make_picture())
    assert status == 500 and "boom" not in said["error"]
    (tmp_path / "fail").unlink()
    assert server.predict(make_picture())[0] == 200
    assert "RuntimeError: boom" in server.stop()[1]
