import http.client
import socket
from collections.abc import Callable
from typing import Any

from inference_runtime.bundle import Bundle

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]


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
