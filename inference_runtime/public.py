"""The routes that everybody may take."""

import os
import time
from http import HTTPStatus

from inference_runtime import openapi
from inference_runtime.door import PREDICT, Routes
from inference_runtime.exchange import Exchange
from inference_runtime.service import Service
from inference_runtime.traffic import Traffic
from inference_runtime.wire import Response


def routes(service: Service, traffic: Traffic) -> Routes:
    public = Public(service, traffic)
    return {
        PREDICT: {"POST": public.predict},
        "/v1/models": {"GET": public.models},
        "/healthz": {"GET": public.healthz},
        "/readyz": {"GET": public.readyz},
        "/metrics": {"GET": public.metrics},
        "/openapi.json": {"GET": public.openapi},
    }


class Public:
    def __init__(self, service: Service, traffic: Traffic) -> None:
        self._service = service
        self._traffic = traffic
        self._requests = 0

    def predict(self, exchange: Exchange) -> None:
        self._requests += 1
        self._service.offer(exchange)

    def models(self, exchange: Exchange) -> Response:
        serving = self._service.roles.roster.serving
        bundle = serving.predictor.bundle
        return Response(
            HTTPStatus.OK,
            {
                "bundle": bundle.id,
                "version": bundle.version,
                "classes": bundle.classes,
                "engine": serving.predictor.engine,
                "engine_because": serving.predictor.because,
                "since": serving.since,
                "pid": os.getpid(),
                "requests": self._requests,
                "journal": self._service.ledger.counts(),
            },
        )

    def healthz(self, exchange: Exchange) -> Response:
        return Response(HTTPStatus.OK, {"status": "alive"})

    def readyz(self, exchange: Exchange) -> Response:
        if self._traffic.draining:
            return Response(HTTPStatus.SERVICE_UNAVAILABLE, {"error": "draining"})
        return Response(HTTPStatus.OK, {"status": "ready"})

    def openapi(self, exchange: Exchange) -> Response:
        return Response(HTTPStatus.OK, openapi.document())

    def metrics(self, exchange: Exchange) -> Response:
        bundle = self._service.roles.roster.serving.predictor.bundle
        sealed = (bundle.folder / "bundle.json").stat().st_mtime
        named = f'bundle_info{{bundle="{bundle.id}",version="{bundle.version or ""}"}}'
        counts, shared = self._service.ledger.counts() or {}, self._service.shared
        gauges: dict[str, tuple[str, float]] = {
            named: ("the bundle that serves", 1),
            "model_age_seconds": (
                "since the manifest of the serving bundle was written",
                time.time() - sealed,
            ),
            "queue_depth": ("requests that wait for a worker", self._service.waiting()),
            "held_bytes": ("bodies in memory", self._traffic.held),
            "connections": ("open connections", len(self._traffic.connections)),
            **({} if shared is None else {"shared_cache_up": ("whether Redis answers", shared.is_up)}),
            **{f"journal_{what}": (f"journal entries {what}", count) for what, count in counts.items()},
        }
        return Response(HTTPStatus.OK, self._service.metrics.text(gauges))
