"""A probability for an image: from the runtime in this process, or from a server beside it."""

import asyncio
import base64
import binascii
import http.client
import json
import logging
import math
import time
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Protocol

from inference_runtime.errors import ImageError
from inference_runtime.miner.turns import Turns
from inference_runtime.recorded import Recorded
from inference_runtime.wire import Refusal

# A validator rounds it to "no", which is right half of the time; a missing or invalid answer never is.
UNSURE = 0.5
AGAIN_SECONDS = 0.1

log = logging.getLogger("inference_runtime")


class Unanswered(Exception):
    """No answer now; there may be one in a moment."""


class Answering(Protocol):
    async def p(self, image: bytes, deadline: float) -> float:
        """Raises Refusal for what is no image, Unanswered for what may pass; `deadline` is monotonic."""


class InProcess:
    """`threads` pictures at a time; what a caller gave up on while it waited is not begun."""

    def __init__(self, recorded: Recorded, threads: int) -> None:
        self._recorded = recorded
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="answer")

    async def p(self, image: bytes, deadline: float) -> float:
        try:
            answer, _ = await asyncio.wrap_future(self._threads.submit(self._recorded.answer, image))
        except ImageError as error:
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from error
        return answer.p

    def close(self) -> None:
        self._threads.shutdown()
        self._recorded.close()


class OverHttp:
    """A running `serve`, which journals what it answers."""

    def __init__(self, url: str) -> None:
        self._url = urllib.parse.urlsplit(url)

    async def p(self, image: bytes, deadline: float) -> float:
        return await asyncio.to_thread(self._ask, image, deadline)

    def _ask(self, image: bytes, deadline: float) -> float:
        status, said = self._post(image, max(0.05, deadline - time.monotonic()))
        if status == HTTPStatus.OK:
            return float(said["p"])
        reason = str(said.get("error", ""))
        if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            raise Unanswered(reason)
        raise Refusal(HTTPStatus(status), reason)

    def _post(self, image: bytes, seconds: float) -> tuple[int, dict[str, float | str]]:
        secure = self._url.scheme == "https"
        kind = http.client.HTTPSConnection if secure else http.client.HTTPConnection
        connection = kind(self._url.hostname or "", self._url.port, timeout=seconds)
        try:
            connection.request("POST", f"{self._url.path.rstrip('/')}/v1/predict", image)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unanswered(str(error)) from error
        finally:
            connection.close()


async def prediction(turns: Turns, stake: float, answering: Answering, text: str, deadline: float) -> float:
    """Always a finite number from 0 to 1 before the deadline; Refusal for what is no image."""
    image = _decoded(text)
    try:
        async with asyncio.timeout(max(0.0, deadline - time.monotonic())), turns.turn(stake):
            p = await _until_answered(answering, image, deadline)
    except TimeoutError:
        log.warning("miner: no answer in time; said %.1f", UNSURE)
        return UNSURE
    if not math.isfinite(p):
        log.warning("miner: %r is no probability; said %.1f", p, UNSURE)
        return UNSURE
    return min(1.0, max(0.0, p))


async def _until_answered(answering: Answering, image: bytes, deadline: float) -> float:
    while True:
        try:
            return await answering.p(image, deadline)
        except Unanswered as error:
            log.info("miner: %s; asking again", error)
            await asyncio.sleep(AGAIN_SECONDS)


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"image: not base64 ({error})") from error
