import base64
import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from inference_runtime.bundle import Bundle
from inference_runtime.journal import segments
from inference_runtime.predictor import Answer, Predictor

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def as_json(data: bytes) -> str:
    return json.dumps({"image": base64.b64encode(data).decode()})


def expected(bundle: Bundle, data: bytes) -> float:
    (answer,) = Predictor(bundle, threads=1).predict([data])
    assert isinstance(answer, Answer)
    return answer.p


def test_an_answer(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    bundle = make_bundle()
    server = start(bundle)
    for grey, label, shape in [(220, "roadwork", bytes), (40, "clear", bytes), (210, "roadwork", as_json)]:
        data = make_picture(grey)
        status, body = server.predict(shape(data))
        assert status == 200
        entry = server.entries()[-1]
        answer = {"p": entry.p, "label": label, "image": entry.image, "bundle": bundle.id}
        assert body == answer | {"entry": entry.id}
        assert body["p"] == pytest.approx(expected(bundle, data), abs=1e-6)
        assert (entry.width, entry.height) == (64, 48) and 0 < entry.ms < 10_000
    assert server.ask("GET", "/v1/models")[1]["journal"] == {"written": 3, "shed": 0, "images_shed": 0}
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
    assert len(server.entries()) == 1, "nothing refused is journalled"


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
    assert models.pop("since").endswith("Z") and models.pop("engine_because")
    assert models == {
        "bundle": bundle.id,
        "version": None,
        "classes": ["clear", "roadwork"],
        "engine": "onnx",
        "pid": server.process.pid,
        "requests": 0,
        "journal": {"written": 0, "shed": 0, "images_shed": 0},
    }


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
    assert len(server.entries()) == 32


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
plain = Predictor.answer
Predictor.answer = lambda self, prepared: (plain(self, prepared), time.sleep(0.01))[0]
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
            assert (status, said["serving"]["bundle"]) == (200, id)
            time.sleep(0.02)
        stop.set()
        answers = [one for client in asking for one in client.result()]

    assert len(answers) > 50 and {body["bundle"] for _, _, body in answers} == set(bundles)
    for n, status, body in answers:
        assert status == 200
        assert body["p"] == pytest.approx(right[body["bundle"], n], abs=1e-6)
        assert body["label"] == bundles[body["bundle"]].classes[body["p"] > 0.5]
    said = sorted((body["image"], body["bundle"], body["p"]) for _, _, body in answers)
    assert sorted((entry.image, entry.bundle, entry.p) for entry in server.entries()) == said
