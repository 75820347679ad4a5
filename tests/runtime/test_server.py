import base64
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from inference_runtime.bundle import Bundle
from inference_runtime.journal import Entry, Journal, read, segments
from inference_runtime.predictor import Answer, Predictor

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def entries(folder: Path) -> list[Entry]:
    found = [one for file in segments(folder) for one in read(file)]
    assert all(isinstance(one, Entry) for one in found)
    return [one for one in found if isinstance(one, Entry)]


def as_json(data: bytes) -> str:
    return json.dumps({"image": base64.b64encode(data).decode()})


def expected(bundle: Bundle, data: bytes) -> float:
    (answer,) = Predictor(bundle, threads=1).predict([data])
    assert isinstance(answer, Answer)
    return answer.p


def talk(port: int, sent: bytes) -> bytes:
    """Raw bytes there, everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        said = b""
        while some := connection.recv(65536):
            said += some
        return said


def test_an_answer(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    bundle = make_bundle()
    server = start(bundle)
    for grey, label, shape in [(220, "roadwork", bytes), (40, "clear", bytes), (210, "roadwork", as_json)]:
        data = make_picture(grey)
        status, body = server.predict(shape(data))
        assert status == 200
        entry = entries(server.journal)[-1]
        assert body == {"p": entry.p, "label": label, "image": entry.image, "bundle": bundle.id}
        assert body["p"] == pytest.approx(expected(bundle, data), abs=1e-6)
        assert (entry.width, entry.height) == (64, 48) and 0 < entry.ms < 10_000
    assert server.ask("GET", "/v1/models")[1]["journal"] == {"written": 3, "shed": 0}
    assert server.stop()[0] == 0
    assert [file.suffix for file in segments(server.journal)] == [".log"]


BAD_BODIES = {
    "empty": (b"", 422),
    "no picture": (b"hello, is this a picture?", 422),
    "brace": (b"{", 400),
    "no image": (b'{"picture": ""}', 400),
    "null image": (b'{"image": null}', 400),
    "wrong base64": (b'{"image": "no base64!"}', 400),
    "unpadded base64": (b'{"image": "abcde"}', 400),
    "letters beyond ASCII": ('{"image": "äöü"}'.encode(), 400),
    "no UTF-8": (b'{"image": "\xff\xfe"}', 400),
    "empty image": (b'{"image": ""}', 422),
    "deep": (b'{"image": ' + b"[" * 200_000, 400),
    "NaN": (b'{"image": NaN}', 400),
    "list": (b"[1, 2]", 422),
}


def test_a_bad_request_gets_one_clear_line(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server = start(make_bundle())
    good = make_picture()
    for name, (body, status) in BAD_BODIES.items() | {("truncated", (good[: len(good) // 2], 422))}:
        answered, said = server.predict(body)
        assert answered == status, (name, said)
        assert set(said) == {"error"} and said["error"] and "\n" not in said["error"], name
    assert server.predict(good)[0] == 200
    assert len(entries(server.journal)) == 1, "nothing refused is journalled"


def test_routes_and_methods(make_bundle: Make, start: Callable[..., Any]) -> None:
    bundle = make_bundle()
    server = start(bundle)
    assert server.ask("GET", "/nowhere") == (404, {"error": "/nowhere: no such route"})
    assert server.ask("GET", "/v1/predict")[0] == 405
    assert server.ask("DELETE", "/healthz")[0] == 405
    assert server.ask("POST", "/nowhere", b"x" * 1000)[0] == 404
    assert server.ask("GET", "/healthz?verbose")[0] == 200
    assert server.ask("GET", "/readyz")[0] == 200
    status, models = server.ask("GET", "/v1/models")
    assert status == 200
    assert models.pop("since").endswith("Z")
    assert models == {
        "bundle": bundle.id,
        "version": None,
        "classes": ["clear", "roadwork"],
        "engine": "onnx",
        "pid": server.process.pid,
        "requests": 0,
        "journal": {"written": 0, "shed": 0},
    }


WIRE = {
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: 33554433\r\n\r\nx": 413,
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: 999999999999999999999\r\n\r\n": 400,
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: -1\r\n\r\n": 400,
    b"POST /v1/predict HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx": 400,
    b"POST /v1/predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n": 411,
    b"POST /v1/predict HTTP/2.0\r\n\r\n": 400,
    b"\x16\x03\x01\x02\x00\x01\r\n\r\n": 400,
    b"GET /healthz HTTP/1.1\r\nno colon\r\n\r\n": 400,
    b"GET /healthz HTTP/1.1\r\nX: 1\r\n folded: 2\r\n\r\n": 400,
    b"GET /healthz HTTP/1.1\r\nX: " + b"x" * 70_000 + b"\r\n\r\n": 431,
    b"GET /healthz HTTP/1.0\r\n\r\n": 200,
    b"HEAD /healthz HTTP/1.1\r\nConnection: close\r\n\r\n": 200,
    b"HEAD /nowhere HTTP/1.1\r\nConnection: close\r\n\r\n": 404,
}


def test_the_wire_at_its_edges(make_bundle: Make, start: Callable[..., Any]) -> None:
    server = start(make_bundle())
    for sent, status in WIRE.items():
        said = talk(server.port, sent)
        assert said.startswith(b"HTTP/1.1 %d " % status), (sent[:80], said)
        head, _, body = said.partition(b"\r\n\r\n")
        assert (body == b"") == sent.startswith(b"HEAD"), "a HEAD has no body, or the framing breaks"
        assert b"Connection: close" in head
    assert server.ask("GET", "/healthz")[0] == 200


def test_a_connection_is_kept(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    server = start(make_bundle())
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.connect()
    socket_used = connection.sock
    for path, body in [("/v1/predict", make_picture()), ("/v1/predict", b"no"), ("/nowhere", b"")] * 3:
        connection.request("POST", path, body)
        connection.getresponse().read()
        assert connection.sock is socket_used
    connection.close()


def test_a_client_that_asks_first_may_send(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server, data = start(make_bundle()), make_picture()
    head = f"POST /v1/predict HTTP/1.1\r\nContent-Length: {len(data)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(data)
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_clients_that_leave_harm_nobody(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server, data = start(make_bundle()), make_picture()
    head = f"POST /v1/predict HTTP/1.1\r\nContent-Length: {len(data)}\r\n\r\n".encode()
    for sent in (b"", b"POST /v1", head, head + data[:100], head + data):
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
            connection.sendall(sent)
    assert server.predict(data)[0] == 200
    assert "Traceback" not in server.stop()[1]


def test_broken_images_fail_alone(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    bundle = make_bundle()
    server = start(bundle)
    good = [make_picture(grey=30 + 6 * n, seed=n) for n in range(32)]
    bodies = [body for n, data in enumerate(good) for body in (data, data[: 300 + n])]
    with ThreadPoolExecutor(16) as clients:
        answers = list(clients.map(server.predict, bodies))
    assert [status for status, _ in answers] == [200, 422] * 32
    for data, (_, body) in zip(good, answers[::2], strict=True):
        assert body["p"] == pytest.approx(expected(bundle, data), abs=1e-6)
    assert len(entries(server.journal)) == 32


def test_swaps_under_load_drop_nothing_and_mix_nothing(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    one, two = make_bundle("one", 8.0), make_bundle("two", -5.0, classes=("quiet", "works"))
    bundles = {one.id: one, two.id: two}
    data = [make_picture(grey=40 + 20 * n, seed=n) for n in range(8)]
    right = {(id, n): expected(bundles[id], data[n]) for id in bundles for n in range(8)}
    # Time enough between the engine and the answer for a swap to fall into.
    lagging = """
import time
from inference_runtime.predictor import Predictor
plain = Predictor.predict
Predictor.predict = lambda self, images: (plain(self, images), time.sleep(0.01))[0]
"""
    server = start(one, prelude=lagging)
    stop = threading.Event()

    def ask(client: int) -> list[tuple[int, int, Any]]:
        seen = []
        while not stop.is_set():
            n = (client + len(seen)) % 8
            seen.append((n, *server.predict(data[n])))
        return seen

    with ThreadPoolExecutor(6) as clients:
        asking = [clients.submit(ask, client) for client in range(6)]
        for id in list(bundles)[::-1] * 10:
            status, said = server.swap(bundles[id].folder)
            assert (status, said["bundle"]) == (200, id)
            time.sleep(0.02)
        stop.set()
        answers = [one for client in asking for one in client.result()]

    assert len(answers) > 50 and {body["bundle"] for _, _, body in answers} == set(bundles)
    for n, status, body in answers:
        assert status == 200
        assert body["p"] == pytest.approx(right[body["bundle"], n], abs=1e-6)
        assert body["label"] == bundles[body["bundle"]].classes[body["p"] > 0.5]
    said = sorted((body["image"], body["bundle"], body["p"]) for _, _, body in answers)
    assert sorted((entry.image, entry.bundle, entry.p) for entry in entries(server.journal)) == said


def test_the_admin_door(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    old, bad = make_bundle("old"), make_bundle("bad", 3.0)
    (bad.folder / "model.onnx").write_bytes(b"altered")
    server = start(old)
    assert server.swap(old.folder, token="wrong")[0] == 401
    assert server.ask("POST", "/admin/bundles", b"{}")[0] == 401
    status, said = server.swap(bad.folder)
    assert status == 409 and "model.onnx: altered" in said["error"]
    assert server.swap("/nowhere")[0] == 409
    assert server.swap("a\0b")[0] == 400
    assert server.swap("")[0] == 400
    assert server.predict(make_picture())[1]["bundle"] == old.id


def test_no_token_no_admin(make_bundle: Make, start: Callable[..., Any]) -> None:
    bundle = make_bundle()
    server = start(bundle, token="")
    for token in ("", "None", "null"):
        status, said = server.swap(bundle.folder, token=token)
        assert status == 401 and "RUNTIME_ADMIN_TOKEN" in said["error"]


def test_a_full_queue_says_when_to_come_back(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], slow_engine: str
) -> None:
    short = "import inference_runtime.server as server; server.CAPACITY = 3\n"
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
    assert len(entries(server.journal)) == accepted
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
    assert len(entries(server.journal)) == 16
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
    kept = [entry.image for entry in entries(server.journal)]
    assert set(answered) <= set(kept) and len(kept) == len(set(kept))
    assert all(file.suffix == ".log" for file in segments(server.journal))


def test_a_full_disk_sheds_and_the_answers_go_out(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    no_file_over = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
    server = start(make_bundle(), prelude=no_file_over)
    large = [make_picture(seed=n, size=(320, 240)) for n in range(3)]
    small = make_picture(size=(32, 32))
    assert min(map(len, large)) > 4000 > len(small)
    for data in [large[0], small, large[1], large[2]]:
        assert server.predict(data)[0] == 200
    assert server.ask("GET", "/v1/models")[1]["journal"] == {"written": 1, "shed": 3}
    assert len(entries(server.journal)) == 1
    status, said = server.stop()
    assert status == 0 and said.count("journal: sheds") == 1, "said once a minute, not per answer"
    assert "Traceback" not in said


def test_a_disk_that_hangs_does_not_hold_answers_for_ever(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    hanging = """
import os, time
import inference_runtime.server as server
server.JOURNAL_SECONDS = 0.1
sync = os.fsync
os.fsync = lambda handle: (time.sleep(0.4), sync(handle))
"""
    server = start(make_bundle(), prelude=hanging)
    assert server.predict(make_picture())[0] == 200
    assert server.ask("GET", "/v1/models")[1]["journal"] == {"written": 0, "shed": 0}
    assert server.stop()[0] == 0
    assert len(entries(server.journal)) == 1, "late, but kept"


def test_a_failing_engine_is_a_500_and_no_crash(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], tmp_path: Path
) -> None:
    failing = f"""
import os
from inference_runtime.predictor import Predictor
plain = Predictor.predict
def predict(self, images):
    if os.path.exists({str(tmp_path / "fail")!r}): raise RuntimeError("boom")
    return plain(self, images)
Predictor.predict = predict
"""
    server = start(make_bundle(), prelude=failing)
    (tmp_path / "fail").touch()
    status, said = server.predict(make_picture())
    assert status == 500 and "boom" not in said["error"]
    (tmp_path / "fail").unlink()
    assert server.predict(make_picture())[0] == 200
    assert "RuntimeError: boom" in server.stop()[1]
