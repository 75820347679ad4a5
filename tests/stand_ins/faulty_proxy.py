"""A network on loopback between a client and a real HTTP server, that fails as it is told to.

It forwards each request as it came, its Host too, so that signatures hold.
"""

import http.client
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from listening import Listening, Speaker

# What an S3 server says of a session that has ended.
EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code>'
    b"<Message>The provided token has expired.</Message></Error>"
)
HOP = {"connection", "transfer-encoding", "content-length", "server", "date"}
SEALS = {"content-length", "content-md5"}  # what would give away that a body was changed

Answer = tuple[int, dict[str, str], bytes]
Suffer = Callable[["Handler"], None]


@dataclass
class Fault:
    """What befalls the next `times` requests whose path and query match."""

    path: str
    suffer: Suffer
    times: float


@dataclass
class Proxy:
    server: str
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    page: int | None = None  # so many keys in each page of a listing
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, path: str, suffer: Suffer, times: float = 1) -> None:
        self.faults.append(Fault(path, suffer, times))

    def seen(self, pattern: str) -> int:
        return sum(bool(re.search(pattern, call)) for call in self.calls)

    def due(self, call: str) -> Fault | None:
        with self.lock:
            self.calls.append(call)
            for fault in self.faults:
                if fault.times > 0 and re.search(fault.path, call):
                    fault.times -= 1
                    return fault
        return None


def untouched(handler: "Handler") -> None:
    handler.pass_on(handler.forwarded(handler.sent))


def refusing(status: int, said: bytes = b"") -> Suffer:
    """Whatever was asked is not done."""
    return lambda handler: handler.say(status, said, {"Content-Type": "application/xml"})


def slow(seconds: float) -> Suffer:
    def suffer(handler: "Handler") -> None:
        time.sleep(seconds)
        untouched(handler)

    return suffer


def halved(handler: "Handler") -> None:
    """Half of what was sent arrives, as if it were all."""
    handler.pass_on(handler.forwarded(handler.sent[: len(handler.sent) // 2]))


def cut(handler: "Handler") -> None:
    """The connection ends in the middle of the body that was announced."""
    status, headers, body = handler.forwarded(handler.sent)
    handler.pass_on((status, headers, body[: len(body) // 2]), announced=len(body))
    handler.close_connection = True


def short(handler: "Handler") -> None:
    """Half of the body, announced as if it were all."""
    status, headers, body = handler.forwarded(handler.sent)
    handler.pass_on((status, headers, body[: len(body) // 2]))


def flipped(handler: "Handler") -> None:
    """All of the body, with one byte that is another."""
    status, headers, body = handler.forwarded(handler.sent)
    middle = len(body) // 2
    handler.pass_on((status, headers, body[:middle] + bytes([body[middle] ^ 0x40]) + body[middle + 1 :]))


def gone(handler: "Handler") -> None:
    """It is done, and the connection ends before anything was said."""
    handler.forwarded(handler.sent)
    handler.close_connection = True


def without(key: str) -> Suffer:
    """A listing that does not know an object yet."""

    def suffer(handler: "Handler") -> None:
        status, headers, body = handler.forwarded(handler.sent)
        entry = rb"<Contents>(?:(?!</Contents>).)*?<Key>[^<]*" + re.escape(key.encode()) + rb".*?</Contents>"
        handler.pass_on((status, headers, re.sub(entry, b"", body, flags=re.DOTALL)))

    return suffer


def after(deed: Callable[[], None]) -> Suffer:
    """Something happens in the store once this was answered there, before the client hears of it."""

    def suffer(handler: "Handler") -> None:
        answer = handler.forwarded(handler.sent)
        deed()
        handler.pass_on(answer)

    return suffer


class Handler(Speaker):
    proxy: Proxy

    def do_GET(self) -> None:
        fault = self.proxy.due(f"{self.command} {self.path}")
        self.sent = self.body()
        (fault.suffer if fault else untouched)(self)

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def pass_on(self, answer: Answer, announced: int | None = None) -> None:
        status, headers, body = answer
        kept = {name: value for name, value in headers.items() if name.lower() not in HOP}
        if self.command == "HEAD":
            announced = int(headers.get("Content-Length") or 0)
        length = len(body) if announced is None else announced
        self.say(status, body, kept | {"Content-Length": str(length)})

    def forwarded(self, sent: bytes) -> Answer:
        connection = http.client.HTTPConnection(urlsplit(self.proxy.server).netloc, timeout=30)
        headers = dict(self.headers)
        if sent != self.sent:
            headers = {name: value for name, value in headers.items() if name.lower() not in SEALS}
        try:
            path = self.path
            if self.proxy.page and "list-type=2" in path:
                path += f"&max-keys={self.proxy.page}"
            connection.request(self.command, path, sent, headers)
            found = connection.getresponse()
            return found.status, dict(found.getheaders()), found.read()
        finally:
            connection.close()


@contextmanager
def before(server: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of this server, and its own address."""
    proxy = Proxy(server)
    with Listening(type("Bound", (Handler,), {"proxy": proxy})) as listening:
        yield proxy, listening.url
