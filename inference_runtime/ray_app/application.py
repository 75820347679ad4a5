"""The deployment: replicas that come and go with the load, each holding the bundles that are asked for."""

import asyncio
import os
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ray import serve
from starlette.requests import Request
from starlette.responses import JSONResponse

from inference_runtime import bodies
from inference_runtime.errors import ImageError
from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer
from inference_runtime.probe import loaded
from inference_runtime.recorded import Recorded
from inference_runtime.wire import Head, Refusal

BODY_BYTES = 32 << 20
# As in the server: a disk that hangs must not hold an answer back for ever.
JOURNAL_SECONDS = 1.0
# Bundles that a replica holds at once; the header serve_multiplexed_model_id says which one is asked.
MODELS = 3


@dataclass(frozen=True)
class Scale:
    least: int = 1
    most: int = 4
    ongoing: float = 2.0  # requests per replica that are just enough


@serve.deployment(name="runtime", health_check_period_s=5, graceful_shutdown_timeout_s=30)
class Runtime:
    """`bundles` by name, the first of which answers who names none; one journal folder for each machine."""

    def __init__(self, bundles: Mapping[str, str], journal: str | None) -> None:
        self._bundles = bundles
        self._default = next(iter(bundles))
        self._journal = Journal(Path(journal)) if journal else None
        # Loaded before the replica counts as ready.
        self._first = loaded(Path(bundles[self._default]))

    async def __call__(self, request: Request) -> JSONResponse:
        try:
            return JSONResponse(await self._response(request))
        except Refusal as refusal:
            return JSONResponse({"error": str(refusal)}, int(refusal.response.status))

    def __del__(self) -> None:
        if journal := getattr(self, "_journal", None):
            journal.close()

    async def _response(self, request: Request) -> dict[str, Any]:
        match request.method, request.url.path:
            case "POST", "/v1/predict":
                return await self._predicted(request)
            case "GET", "/v1/models":
                return {"bundles": list(self._bundles), "pid": os.getpid()}
            case "GET", "/healthz" | "/readyz":
                return {"status": "ready"}
        raise Refusal(HTTPStatus.NOT_FOUND, f"{request.method[:20]} {request.url.path[:100]}: no such route")

    async def _predicted(self, request: Request) -> dict[str, Any]:
        name = serve.get_multiplexed_model_id() or self._default
        if name not in self._bundles:
            raise Refusal(
                HTTPStatus.NOT_FOUND, f"serve_multiplexed_model_id: no bundle is called {name[:100]}"
            )
        asked = await _asked(request)
        recorded = await self._model(name)
        answers = [await asyncio.to_thread(_answer_or_error, recorded, one.data) for one in asked.images]
        if asked.many:
            return {"answers": [await _said(recorded, one) for one in answers]}
        if isinstance(answers[0], ImageError):
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(answers[0]))
        return await _said(recorded, answers[0])

    @serve.multiplexed(max_num_models_per_replica=MODELS)
    async def _model(self, name: str) -> Recorded:
        if name == self._default:
            return Recorded(self._first, self._journal)
        predictor = await asyncio.to_thread(loaded, Path(self._bundles[name]))
        return Recorded(predictor, self._journal)


def application(bundles: Mapping[str, str], journal: str | None, scale: Scale) -> Any:
    deployment: Any = Runtime  # the decorator has made it one
    return deployment.options(
        max_ongoing_requests=max(4, int(4 * scale.ongoing)),
        autoscaling_config={
            "min_replicas": scale.least,
            "max_replicas": scale.most,
            "target_ongoing_requests": scale.ongoing,
        },
    ).bind(bundles, journal)


async def _asked(request: Request) -> bodies.Asked:
    length = int(request.headers.get("content-length", "0"))
    if length > BODY_BYTES:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"body: over the limit of {BODY_BYTES >> 20} MiB")
    body = await request.body()
    return bodies.asked(Head("POST", "/v1/predict", request.headers, len(body), keep=True), body)


Answered = tuple[Answer, "Future[str] | None"] | ImageError


def _answer_or_error(recorded: Recorded, data: bytes) -> Answered:
    try:
        return recorded.answer(data)
    except ImageError as error:
        return error


async def _said(recorded: Recorded, answered: Answered) -> dict[str, Any]:
    if isinstance(answered, ImageError):
        return {"error": str(answered)}
    answer, entry = answered
    return {
        "p": answer.p,
        "label": recorded.predictor.bundle.classes[answer.p > 0.5],
        "image": answer.image,
        "bundle": answer.bundle,
        "entry": None if entry is None else await _kept(entry),
    }


async def _kept(entry: "Future[str]") -> str | None:
    try:
        return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(entry)), JOURNAL_SECONDS) or None
    except (TimeoutError, OSError):
        return None
