"""Asks the bundle whose turn it is; who is only on trial fails for nobody."""

import logging
import time
from dataclasses import dataclass

from inference_runtime.bundle import Bundle
from inference_runtime.cache import Cache
from inference_runtime.comparison import Comparison
from inference_runtime.errors import ImageError
from inference_runtime.metrics import Metrics
from inference_runtime.picture import Picture
from inference_runtime.predictor import Answer, Predictor, Prepared
from inference_runtime.roles import Role, Turn, Unseen

log = logging.getLogger("inference_runtime")


@dataclass(frozen=True)
class Given:
    """The answer that goes out, and who answers the same picture again afterwards."""

    answer: Answer
    picture: Picture
    prepared: Prepared | None
    bundle: Bundle
    role: Role
    unseen: Unseen | None
    within: float | None = None  # seconds that the model had; whoever answers again is held to the same


def given(turn: Turn, picture: Picture, within: float, metrics: Metrics, cache: Cache | None = None) -> Given:
    """`within` so many seconds somebody waits for it."""
    try:
        return _cached(turn, picture, within, metrics, cache)
    except ImageError:
        raise  # the picture's fault, with any bundle
    except Exception:
        if turn.role != "canary" or turn.unseen is None:
            raise
        log.exception("the canary failed; the serving bundle answers")
        serving = Turn(turn.unseen.predictor, "serve", None, turn.comparison)
        return _given(serving, picture, within, metrics)


def _cached(turn: Turn, picture: Picture, within: float, metrics: Metrics, cache: Cache | None) -> Given:
    # While two bundles are compared both are asked: remembering takes no time and never fails.
    if cache is None or turn.comparison:
        return _given(turn, picture, within, metrics)
    bundle = turn.predictor.bundle
    if answer := cache.get(bundle.id, picture):
        metrics.count("cache_total", outcome="hit")
        return Given(answer, picture, None, bundle, turn.role, None)
    metrics.count("cache_total", outcome="miss")
    found = _given(turn, picture, within, metrics)
    cache.put(found.answer, picture)
    return found


def _given(turn: Turn, picture: Picture, within: float, metrics: Metrics) -> Given:
    prepared, answer, _ = asked(turn.predictor, picture, turn.comparison, within, metrics=metrics)
    return Given(answer, picture, prepared, turn.predictor.bundle, turn.role, turn.unseen, within)


def asked(
    predictor: Predictor,
    picture: Picture,
    comparison: Comparison | None,
    within: float | None = None,
    prepared: Prepared | None = None,
    metrics: Metrics | None = None,
) -> tuple[Prepared, Answer, float]:
    """And the milliseconds it took; `prepared` spares the second of two models of one size the decoding."""
    started = time.monotonic()
    try:
        if prepared is None or prepared.spec != predictor.spec:
            prepared = predictor.prepare(picture)
        between = time.monotonic()
        answer = predictor.answer(prepared)
    except ImageError:
        raise
    except Exception:
        if comparison:
            comparison.failed(predictor.bundle.id)
        raise
    ended = time.monotonic()
    ms = (ended - started) * 1000
    if metrics:
        metrics.time("prepare", between - started)
        metrics.time("model", ended - between)
    if comparison:
        # Of the model alone: whoever answers second is spared the decoding, and would look the faster one.
        comparison.answered(answer, (ended - between) * 1000, within)
    return prepared, answer, ms
