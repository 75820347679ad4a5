"""HTTP/1.1 as far as this server needs it: what a head says, and what an answer looks like."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

HEAD_BYTES = 32 << 10

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
LINES = {status: f"HTTP/1.1 {status.value} {status.phrase}\r\n" for status in HTTPStatus}
JSON = json.JSONEncoder(allow_nan=False)  # made once: `json.dumps` would make one for each answer
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Head:
    """What comes before the body."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int
    keep: bool


@dataclass(frozen=True, slots=True)
class Response:
    status: HTTPStatus
    body: Mapping[str, Any] | str
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that gets one line instead of what it asked for."""

    def __init__(self, status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.response = Response(status, {"error": reason}, headers or {})


def busy(reason: str) -> Refusal:
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"{reason}; try again in a second", {"Retry-After": "1"})


def encoded(response: Response, keep: bool, only_head: bool = False) -> bytes:
    is_text = isinstance(response.body, str)
    body = response.body if isinstance(response.body, str) else JSON.encode(response.body)
    data = body.encode() + b"\n"
    lines = [
        LINES[response.status],
        "Content-Type: text/plain; version=0.0.4\r\n" if is_text else "Content-Type: application/json\r\n",
        f"Content-Length: {len(data)}\r\n",
        *(f"{name}: {value}\r\n" for name, value in response.headers.items()),
        "Connection: keep-alive\r\n\r\n" if keep else "Connection: close\r\n\r\n",
    ]
    head = "".join(lines).encode("latin-1")
    return head if only_head else head + data


def parsed(text: bytes) -> Head:
    """`text` is a head without the empty line that ends it."""
    first, *lines = text.decode("latin-1").lstrip("\r\n").split("\r\n")
    method, target, version = _request_line(first)
    headers = _headers(lines)
    if "transfer-encoding" in headers:
        raise Refusal(HTTPStatus.LENGTH_REQUIRED, "Transfer-Encoding: not taken; send Content-Length")
    connection = headers.get("connection", "").lower()
    keep = "close" not in connection and (version == "HTTP/1.1" or "keep-alive" in connection)
    return Head(method, target.partition("?")[0], headers, _length(headers), keep)


def _request_line(line: str) -> tuple[str, str, str]:
    parts = line.split(" ")
    if len(parts) != 3 or not TOKEN.fullmatch(parts[0]) or parts[2] not in ("HTTP/1.1", "HTTP/1.0"):
        raise Refusal(HTTPStatus.BAD_REQUEST, "head: the first line is no HTTP/1.1 request")
    return parts[0], parts[1], parts[2]


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not TOKEN.fullmatch(name):
            raise Refusal(HTTPStatus.BAD_REQUEST, "head: a header is not of the form 'Name: value'")
        key = name.lower()
        if key == "content-length" and key in headers:
            raise Refusal(HTTPStatus.BAD_REQUEST, "Content-Length: given twice")
        headers[key] = value.strip()
    return headers


def _length(headers: Mapping[str, str]) -> int:
    text = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,18}", text):
        raise Refusal(HTTPStatus.BAD_REQUEST, "Content-Length: not a whole number")
    return int(text)
