"""HTTP/1.1 as far as this server needs it: one request in, one JSON answer out, connections kept."""

import asyncio
import json
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

HEAD_BYTES = 32 << 10
IDLE_SECONDS = 75.0
BODY_SECONDS = 30.0
LINGER_SECONDS = 2.0
LINGER_BYTES = 64 << 20

TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


@dataclass(frozen=True)
class Head:
    """What comes before the body."""

    method: str
    path: str
    headers: Mapping[str, str]
    length: int
    keep: bool


@dataclass(frozen=True)
class Response:
    status: HTTPStatus
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request that gets one line instead of what it asked for."""

    def __init__(self, status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(reason)
        self.response = Response(status, {"error": reason}, headers or {})


def busy(reason: str) -> Refusal:
    return Refusal(HTTPStatus.TOO_MANY_REQUESTS, f"{reason}; try again in a second", {"Retry-After": "1"})


async def read_head(reader: StreamReader) -> Head | None:
    """None when the other side has nothing more to say."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            text = await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, TimeoutError):
        return None
    except asyncio.LimitOverrunError as error:
        reason = f"head: longer than {HEAD_BYTES >> 10} KiB"
        raise Refusal(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, reason) from error
    return _parsed(text.decode("latin-1"))


async def read_body(reader: StreamReader, writer: StreamWriter, head: Head) -> bytes:
    if head.headers.get("expect", "").lower() == "100-continue":
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await reader.readexactly(head.length)
    except TimeoutError as error:
        reason = f"body: not whole within {BODY_SECONDS:.0f} s"
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, reason) from error


async def write(writer: StreamWriter, response: Response, keep: bool, only_head: bool = False) -> None:
    body = json.dumps(response.body, allow_nan=False).encode() + b"\n"
    lines = [
        f"HTTP/1.1 {response.status.value} {response.status.phrase}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        f"Connection: {'keep-alive' if keep else 'close'}",
    ]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    writer.write(head if only_head else head + body)
    await writer.drain()


async def linger(reader: StreamReader, writer: StreamWriter) -> None:
    """Ends a connection whose request was not read to its end.

    Closing with unread bytes resets it, and the other side may lose the answer that says why.
    """
    if writer.can_write_eof():
        writer.write_eof()
    rest = LINGER_BYTES
    try:
        async with asyncio.timeout(LINGER_SECONDS):
            while rest > 0 and (gone := await reader.read(1 << 16)):
                rest -= len(gone)
    except TimeoutError:
        return


def _parsed(text: str) -> Head:
    first, *lines = text[:-4].lstrip("\r\n").split("\r\n")
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
