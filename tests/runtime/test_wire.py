import hashlib
import http.client
import json
import re
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, BinaryIO
from urllib.request import urlopen

from inference_runtime.bundle import Bundle

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]

# That many answers, each with that many long ones before it, are several times what a system holds for a
# client who does not read.
MANY, PAGES = 300, 10


def talk(port: int, sent: bytes) -> bytes:
    """Raw bytes there, everything that comes back until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(sent)
        said = b""
        while some := connection.recv(65536):
            said += some
        return said


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


def test_answers_come_whole_and_in_order_to_who_asks_ahead_and_reads_late(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    """The answers do not fit what the system holds for a client, so that some wait, one only in part."""
    server, data = start(make_bundle()), make_picture()
    asked = [hashlib.sha256(numbered(data, number)).hexdigest() for number in range(MANY)]
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(30)
        connection.connect(("127.0.0.1", server.port))
        sender = threading.Thread(target=send_all, args=(connection, data))
        sender.start()
        while (before := answered(server)) < 1 or before < answered(server, after=0.5):
            pass
        assert before < MANY, "the server waits for a client who does not read"
        answers = connection.makefile("rb")
        for name in asked:
            pages = {answer_of(answers) for _ in range(PAGES)}
            assert len(pages) == 1 and b"openapi" in pages.pop()
            assert json.loads(answer_of(answers))["image"] == name
        sender.join()
    assert server.predict(data)[0] == 200
    assert "Traceback" not in server.stop()[1]


def numbered(data: bytes, number: int) -> bytes:
    return data + number.to_bytes(4, "big")


def answered(server: Any, after: float = 0.0) -> int:
    """How many pictures, after so many seconds."""
    time.sleep(after)
    with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=10) as said:
        told = said.read().decode()
    found = re.search(r'runtime_images_total{role="serve"} (\d+)', told)
    return int(found[1]) if found else 0


def send_all(connection: socket.socket, data: bytes) -> None:
    """Long answers, which the event loop gives, and a short one, which a worker gives, in turn."""
    for number in range(MANY):
        body = numbered(data, number)
        post = b"POST /v1/predict HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(body)
        connection.sendall(b"GET /openapi.json HTTP/1.1\r\n\r\n" * PAGES + post + body)


def answer_of(answers: BinaryIO) -> bytes:
    """The body of the next one."""
    assert answers.readline().startswith(b"HTTP/1.1 200 ")
    length = 0
    while (line := answers.readline()) != b"\r\n":
        if line.lower().startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return answers.read(length)
