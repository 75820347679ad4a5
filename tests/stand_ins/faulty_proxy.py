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
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

# What an S3 server says of a session that has ended.
EXPIRED = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code>'
    b"<Message>The provided token has expired.</Message></Error>"
)
HOP = {"connection", "transfer-encoding", "content-length", "server", "date"}

Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Fault:
    """What befalls the next `times` requests whose path and query match."""

    path: str
    suffer: Callable[["Handler", Answer], None]
    times: float


@dataclass
class Proxy:
    server: str
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    page: int | None = None  # so many keys in each page of a listing
    lock: threading.Lock = field(default_factory=threading.Lock)

    def fail(self, path: str, suffer: Callable[["Handler", Answer], None], times: float = 1) -> None:
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


def refusing(status: int, body: bytes = b"") -> Callable[["Handler", Answer], None]:
    return lambda handler, _: handler.say((status, {"Content-Type": "application/xml"}, body))


def slow(seconds: float) -> Callable[["Handler", Answer], None]:
    def suffer(handler: "Handler", answer: Answer) -> None:
        time.sleep(seconds)
        handler.say(answer)

    return suffer


def cut(handler: "Handler", answer: Answer) -> None:
    """The connection ends in the middle of the body that was announced."""
    status, headers, body = answer
    handler.say((status, headers, body[: len(body) // 2]), announced=len(body))
    handler.close_connection = True


def short(handler: "Handler", answer: Answer) -> None:
    """Half of the body, announced as if it were all."""
    status, headers, body = answer
    handler.say((status, headers, body[: len(body) // 2]))


def flipped(handler: "Handler", answer: Answer) -> None:
    """All of the body, with one byte that is another."""
    status, headers, body = answer
    middle = len(body) // 2
    handler.say((status, headers, body[:middle] + bytes([body[middle] ^ 0x40]) + body[middle + 1 :]))


def gone(handler: "Handler", _: Answer) -> None:
    """The connection ends before anything was said."""
    handler.close_connection = True


def without(key: str) -> Callable[["Handler", Answer], None]:
    """A listing that does not know an object yet."""

    def suffer(handler: "Handler", answer: Answer) -> None:
        status, headers, body = answer
        entry = rb"<Contents>(?:(?!</Contents>).)*?<Key>[^<]*" + re.escape(key.encode()) + rb".*?</Contents>"
        handler.say((status, headers, re.sub(entry, b"", body, flags=re.DOTALL)))

    return suffer


def after(deed: Callable[[], None]) -> Callable[["Handler", Answer], None]:
    """Something happens in the store once this was answered there, before the client hears of it."""

    def suffer(handler: "Handler", answer: Answer) -> None:
        deed()
        handler.say(answer)

    return suffer


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        fault = self.proxy.due(f"{self.command} {self.path}")
        answer = self._forwarded()
        try:
            fault.suffer(self, answer) if fault else self.say(answer)
        except ConnectionError:
            self.close_connection = True

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET

    def say(self, answer: Answer, announced: int | None = None) -> None:
        status, headers, body = answer
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if announced is None else announced))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _forwarded(self) -> Answer:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        connection = http.client.HTTPConnection(urlsplit(self.proxy.server).netloc, timeout=30)
        try:
            path = self.path
            if self.proxy.page and "list-type=2" in path:
                path += f"&max-keys={self.proxy.page}"
            connection.request(self.command, path, body, dict(self.headers))
            found = connection.getresponse()
            return found.status, dict(found.getheaders()), found.read()
        finally:
            connection.close()


@contextmanager
def before(server: str) -> Iterator[tuple[Proxy, str]]:
    """A proxy in front of this server, and its own address."""
    proxy = Proxy(server)
    handler = type("Bound", (Handler,), {"proxy": proxy})
    listening = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listening.daemon_threads = True
    thread = threading.Thread(target=listening.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy, f"http://127.0.0.1:{listening.server_port}"
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()
