"""How a simulated validator asks: one kept connection per thread, patient with a busy server."""

import base64
import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from inference_runtime.errors import Fixable

ROUTE = "/v1/predict"
TIMEOUT = 30.0
ATTEMPTS = 8
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0


class Asker:
    """Asks the runtime at `url`; safe to share between threads."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise Fixable(f"{url}: not the address of a runtime; give one like http://127.0.0.1:8072")
        self._url = url
        self._host, self._port = parts.hostname, parts.port or 80
        self._own = threading.local()
        self._opened: list[http.client.HTTPConnection] = []

    def ask(self, data: bytes) -> float:
        """The probability that the runtime gives to a picture."""
        body = json.dumps({"image": base64.b64encode(data).decode()}).encode()
        for attempt in range(ATTEMPTS):
            status, answer, retry_after = self._post(body)
            if status == http.client.OK:
                return float(json.loads(answer)["p"])
            if status not in (http.client.TOO_MANY_REQUESTS, http.client.SERVICE_UNAVAILABLE):
                break
            time.sleep(_pause(attempt, retry_after))
        raise Fixable(
            f"{self._url}{ROUTE}: answered {status}: {answer.decode(errors='replace')[:200].strip()}"
        )

    def close(self) -> None:
        for connection in self._opened:
            connection.close()

    def _post(self, body: bytes) -> tuple[int, bytes, str | None]:
        try:
            return self._exchange(body)
        except (http.client.HTTPException, ConnectionError):
            # The server may close a kept connection at any time, so the second try gets a fresh one.
            self._connection().close()
        try:
            return self._exchange(body)
        except (http.client.HTTPException, OSError) as error:
            raise Fixable(
                f"{self._url}: no runtime answers there ({error}); start one with: make up"
            ) from None

    def _exchange(self, body: bytes) -> tuple[int, bytes, str | None]:
        connection = self._connection()
        connection.request("POST", ROUTE, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        return response.status, response.read(), response.getheader("Retry-After")

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._own, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=TIMEOUT)
            self._own.connection = connection
            self._opened.append(connection)
        return connection


def _pause(attempt: int, retry_after: str | None) -> float:
    asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
    return min(_LONGEST_PAUSE, max(asked, _FIRST_PAUSE * 2.0**attempt))
