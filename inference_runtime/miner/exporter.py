"""Tells Prometheus how the hotkey stands. It only reads, and asks the chain once in ten minutes."""

import logging
import threading
from collections.abc import Callable
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from inference_runtime.errors import Fixable
from inference_runtime.miner import standing
from inference_runtime.miner.standing import Standing

REFRESH_SECONDS = 600.0

log = logging.getLogger("inference_runtime")


class Watcher:
    """The standing as last seen. A chain that does not answer is told as such, beside what it last said."""

    def __init__(self, file: Path, ask: Callable[[], Standing] | None) -> None:
        self._file, self._ask = file, ask
        self.now = replace(standing.load(file), up=False)

    def start(self) -> None:
        if self._ask:
            threading.Thread(target=self._run, name="standing", daemon=True).start()

    def refresh(self) -> None:
        assert self._ask
        try:
            self.now = self._ask()
        except Fixable as error:
            log.warning("%s; telling what it said before", error)
            self.now = replace(self.now, up=False)
        try:
            standing.save(self.now, self._file)
        except OSError as error:
            log.warning("%s: %s; the standing is not remembered", self._file, error.strerror)

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            self.refresh()
            pause.wait(REFRESH_SECONDS)


def server(watcher: Watcher, host: str, port: int) -> ThreadingHTTPServer:
    """Bound, and answering once `serve_forever` is called."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found = self.path == "/metrics"
            body = standing.text(watcher.now).encode() if found else b"only /metrics is here\n"
            self.send_response(200 if found else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """A scrape every quarter of a minute is no news."""

    try:
        return ThreadingHTTPServer((host, port), Answer)
    except OSError as error:
        raise Fixable(f"--metrics-port {port}: {error.strerror}; name another") from None
