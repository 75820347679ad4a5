"""One picture or many, in every form; deadlines; what the server says of itself."""

import base64
import json
import socket
import time
from collections.abc import Callable
from typing import Any

from inference_runtime.bundle import Bundle

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


def form(*pictures: bytes) -> tuple[bytes, str]:
    parts = [
        b'--frontier\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n%b\r\n' % one
        for one in pictures
    ]
    return b"".join(parts) + b"--frontier--\r\n", "multipart/form-data; boundary=frontier"


def test_many_in_json_and_in_a_form(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server = start(make_bundle())
    good = [make_picture(grey=40 + 40 * n, seed=n) for n in range(3)]
    alone = [server.predict(one)[1]["p"] for one in good]
    mixed = [good[0], b"broken", good[1], good[2]]
    body, kind = form(*mixed)
    for status, said in (
        server.predict(json.dumps({"images": [encoded(one) for one in mixed]})),
        server.ask("POST", "/v1/predict", body, **{"Content-Type": kind}),
    ):
        assert status == 200
        answers = said["answers"]
        assert set(answers[1]) == {"error"}, "a broken one fails alone, in its place"
        assert [one["p"] for n, one in enumerate(answers) if n != 1] == alone
    requests = [entry.request for entry in server.entries()]
    assert len(requests) == 9 and len(set(requests)) == 5, "the entries of one request share its name"


def test_the_common_shape_is_the_general_one(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    server, data = start(make_bundle()), make_picture()
    text = encoded(data)
    assert "/" in text
    wanted = server.predict(data)[1]["p"]
    for body in (
        f'{{"image":"{text}"}}',
        f' {{ "image" : "{text}" }} \n',
        f'{{"image": "{text}", "note": "a \\"quoted\\" one"}}',
        f'{{"note": 1, "image": "{text}"}}',
        '{{"image": "{}"}}'.format(text.replace("/", "\\/")),
    ):
        status, said = server.predict(body)
        assert (status, said.get("p")) == (200, wanted), body[:30]


def test_bad_forms_and_lists(make_bundle: Make, start: Callable[..., Any]) -> None:
    server = start(make_bundle())
    for body in ('{"images": []}', '{"images": 3}', '{"images": ["?"]}', '{"images": [], "image": ""}'):
        assert server.predict(body)[0] == 400
    assert server.predict(json.dumps({"images": [""] * 65}))[0] == 400
    for text in (b"", b"--frontier", b"--frontier\r\n\r\nno end", b"--frontier--"):
        kind = {"Content-Type": "multipart/form-data; boundary=frontier"}
        assert server.ask("POST", "/v1/predict", text, **kind)[0] == 400


def test_a_deadline_is_kept(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], slow_engine: str
) -> None:
    server = start(make_bundle(), prelude=slow_engine, threads=1)
    started = time.monotonic()
    status, said = server.ask("POST", "/v1/predict", make_picture(), **{"X-Deadline-Ms": "50"})
    assert status == 504 and "deadline" in said["error"]
    assert time.monotonic() - started < 1
    for wrong in ("0", "-1", "soon", "1e3", "9" * 12):
        assert server.ask("POST", "/v1/predict", make_picture(), **{"X-Deadline-Ms": wrong})[0] == 400
    assert server.predict(make_picture())[0] == 200


def test_what_nobody_waits_for_is_not_computed(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], slow_engine: str
) -> None:
    server = start(make_bundle(), prelude=slow_engine, threads=1)
    for n in range(20):
        data = make_picture(seed=n)
        with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
            client.sendall(b"POST /v1/predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(data) + data)
    time.sleep(0.3)
    assert server.predict(make_picture(seed=99))[0] == 200
    assert len(server.entries()) < 8, "the others had left"


def metrics(server: Any) -> str:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as client:
        client.sendall(b"GET /metrics HTTP/1.1\r\nConnection: close\r\n\r\n")
        said = b""
        while some := client.recv(65536):
            said += some
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"text/plain" in head
    return body.decode()


def test_metrics(make_bundle: Make, make_picture: Picture, start: Callable[..., Any]) -> None:
    bundle = make_bundle()
    server = start(bundle)
    for n in range(3):
        server.predict(make_picture(seed=n))
    server.predict(b"no")
    for made_up in ("/one", "/two"):
        assert server.ask("GET", made_up)[0] == 404
    said = metrics(server)
    for line in (
        'runtime_images_total{role="serve"} 3',
        'runtime_errors_total{kind="image"} 1',
        'runtime_requests_total{route="/v1/predict",status="200"} 3',
        'runtime_requests_total{route="/v1/predict",status="422"} 1',
        'runtime_requests_total{route="none",status="404"} 2',
        'runtime_stage_seconds_count{stage="journal"} 3',
        'runtime_stage_seconds_count{stage="total"} 4',
        'runtime_stage_seconds_count{stage="model"} 3',
        f'runtime_bundle_info{{bundle="{bundle.id}",version=""}} 1',
        "runtime_queue_depth 0",
        "runtime_journal_written 3",
    ):
        assert line in said.splitlines(), said


def test_openapi_names_every_route(make_bundle: Make, start: Callable[..., Any]) -> None:
    server = start(make_bundle())
    paths = server.ask("GET", "/openapi.json")[1]["paths"]
    for path, methods in paths.items():
        for method in ("get", "post"):
            if path != "/metrics":
                status = server.ask(method.upper(), path)[0]
                assert (status == 405) == (method not in methods), (path, method)
    assert set(paths) >= {"/v1/predict", "/v1/models", "/healthz", "/readyz", "/metrics"}
