"""A vision-language model behind an OpenAI-compatible endpoint, asked for one word."""

import http.client
import json
import math
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pybase64

from inference_runtime.bundle import Bundle
from inference_runtime.cascade import NoOpinion
from inference_runtime.errors import Fixable

ANSWER_BYTES = 1 << 20
QUESTION = "Does this picture show {what}? Answer with one word, yes or no."


class Endpoint:
    def __init__(self, url: str, model: str, key: str | None) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Fixable(f"--cascade-url: {url!r} is no http(s) address, such as http://127.0.0.1:8000/v1")
        self._place, self._host, self._port = parts.path.rstrip("/"), parts.hostname, parts.port
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self.name, self._key = model, key

    def __call__(self, data: bytes, bundle: Bundle, seconds: float) -> float:
        until = time.monotonic() + seconds
        connection = self._kind(self._host, self._port, timeout=seconds)
        try:
            connection.request(
                "POST", f"{self._place}/chat/completions", self._body(data, bundle), self._headers()
            )
            response = connection.getresponse()
            said = b"".join(_pieces(connection, response, until))
            if response.status != 200:
                raise NoOpinion(f"the endpoint answered {response.status}")
            return _yes(json.loads(said))
        except (OSError, http.client.HTTPException, ValueError, LookupError, TypeError) as error:
            raise NoOpinion(f"the endpoint: {error}") from error
        finally:
            connection.close()

    def _headers(self) -> dict[str, str]:
        bearer = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        return {"Content-Type": "application/json", **bearer}

    def _body(self, data: bytes, bundle: Bundle) -> bytes:
        question = bundle.band.question or QUESTION.format(what=bundle.classes[1])
        picture = f"data:image/jpeg;base64,{pybase64.b64encode(data).decode()}"
        content = [
            {"type": "text", "text": question},
            {"type": "image_url", "image_url": {"url": picture}},
        ]
        asked = {"model": self.name, "messages": [{"role": "user", "content": content}]}
        return json.dumps(
            asked | {"max_tokens": 1, "temperature": 0, "logprobs": True, "top_logprobs": 10}
        ).encode()


def _pieces(
    connection: http.client.HTTPConnection, response: http.client.HTTPResponse, until: float
) -> Iterator[bytes]:
    """A socket's timeout starts anew with every byte; the deadline does not."""
    total = 0
    while piece := response.read1(65536):
        total += len(piece)
        if total > ANSWER_BYTES or time.monotonic() > until:
            raise NoOpinion("the endpoint says too much, or too slowly")
        if connection.sock:
            connection.sock.settimeout(max(0.001, until - time.monotonic()))
        yield piece


def _yes(said: Any) -> float:
    """From the odds of the first word if they are told, else from the word itself."""
    choice = said["choices"][0]
    told = ((choice.get("logprobs") or {}).get("content") or [{}])[0].get("top_logprobs") or []
    odds = {"yes": 0.0, "no": 0.0}
    for one in told:
        word = str(one["token"]).strip().lower()
        if word in odds:
            odds[word] += math.exp(float(one["logprob"]))
    if total := sum(odds.values()):
        return odds["yes"] / total
    word = str(choice["message"]["content"]).strip().lower().rstrip(".!")
    if word in odds:
        return float(word == "yes")
    raise NoOpinion(f"the endpoint said {word[:40]!r}, neither yes nor no")
