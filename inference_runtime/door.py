"""A place to knock at: an address, the routes behind it, and the token that opens it."""

import hmac
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar

from inference_runtime.exchange import Exchange
from inference_runtime.wire import Head, Refusal, Response

log = logging.getLogger("inference_runtime")

PREDICT = "/v1/predict"
BODY_BYTES = 32 << 20

# The answer; or None when it comes later, by `exchange.reply`. The event loop calls it, so it must not wait.
Route = Callable[[Exchange], Response | None]
Answered = TypeVar("Answered", Response, Response | None)
Routes = Mapping[str, Mapping[str, Route]]  # by path, then by method


def answered(work: Callable[[], Answered]) -> Response | Answered:
    """What `work` gives, or the answer that says why it gives none."""
    try:
        return work()
    except Refusal as refusal:
        return refusal.response
    except Exception:
        log.exception("a request failed")
        return Response(HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal: the server's log says more"})


@dataclass(frozen=True)
class Door:
    host: str
    port: int
    routes: Routes
    patience: float  # seconds that a request may take, unless it says itself
    token: str | None = None

    def admitted(self, head: Head) -> Route:
        """Everything that can be refused before the body is read."""
        if self.token is not None:
            self._authorise(head)
        route = self._route(head)
        if head.length > BODY_BYTES:
            reason = f"body: {head.length} bytes are over the limit of {BODY_BYTES >> 20} MiB"
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, reason)
        return route

    def route_of(self, head: Head | None) -> str:
        """For counting: what strangers make up is one word, not one each."""
        return head.path if head and head.path in self.routes else "none"

    def _route(self, head: Head) -> Route:
        methods = self.routes.get(head.path)
        if methods is None:
            raise Refusal(HTTPStatus.NOT_FOUND, f"{head.path[:100]}: no such route")
        route = methods.get("GET" if head.method == "HEAD" else head.method)
        if route is None:
            allowed = ", ".join(methods)
            reason = f"{head.path}: takes {allowed}, not {head.method[:20]}"
            raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, reason, {"Allow": allowed})
        return route

    def _authorise(self, head: Head) -> None:
        given = head.headers.get("authorization", "")
        if not hmac.compare_digest(given.encode(), f"Bearer {self.token}".encode()):
            reason = "admin: send Authorization: Bearer <RUNTIME_ADMIN_TOKEN>"
            raise Refusal(HTTPStatus.UNAUTHORIZED, reason, {"WWW-Authenticate": "Bearer"})
