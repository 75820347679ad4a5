"""What all stand-ins on loopback share: a port and threads that end with the test, answers in one call."""

import json
import sys
import threading
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class Speaker(BaseHTTPRequestHandler):
    """One client; connections stay open, as those of real servers do."""

    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # an answer in one packet, or the other side waits for its second half

    def body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def say(self, status: int, said: Any = b"", headers: Mapping[str, str] | None = None) -> None:
        """Bytes as they are, all else as JSON; a length among the headers is announced, true or not."""
        kind = {} if isinstance(said, bytes) else {"Content-Type": "application/json"}
        data = said if isinstance(said, bytes) else json.dumps(said).encode()
        self.send_response(status)
        for name, value in (kind | {"Content-Length": str(len(data))} | dict(headers or {})).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


class Listening(ThreadingHTTPServer):
    """Listens within a `with`."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, speaker: type[Speaker]) -> None:
        super().__init__(("127.0.0.1", 0), speaker)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves half a conversation behind is no news."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)
