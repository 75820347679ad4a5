"""HTTP as a client that may misbehave."""

import asyncio
import contextlib
import json
from asyncio import StreamReader, StreamWriter
from types import TracebackType
from typing import Any

ANSWER_SECONDS = 40.0


class Connection:
    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: StreamReader
        self.writer: StreamWriter

    async def __aenter__(self) -> "Connection":
        self._reader, self.writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.writer.close()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()

    async def ask(
        self, method: str, path: str, body: bytes = b"", token: str = ""
    ) -> tuple[int, dict[str, Any]]:
        self.writer.write(head(method, path, len(body), token) + body)
        return await self.answer()

    async def answer(self) -> tuple[int, dict[str, Any]]:
        """EOFError (IncompleteReadError is one) when the other side is gone."""
        async with asyncio.timeout(ANSWER_SECONDS):
            said = (await self._reader.readuntil(b"\r\n\r\n")).lower()
            length = int(said.partition(b"content-length:")[2].split(b"\r\n", 1)[0])
            return int(said[9:12]), json.loads(await self._reader.readexactly(length))

    async def status(self) -> int:
        """Of an answer whose body does not matter."""
        async with asyncio.timeout(ANSWER_SECONDS):
            return int((await self._reader.readuntil(b"\r\n\r\n"))[9:12])


def head(method: str, path: str, length: int, token: str = "", content: str = "image/jpeg") -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", f"Content-Length: {length}"]
    lines += [f"Content-Type: {content}"] if length else []
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode()
