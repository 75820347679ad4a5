"""Two bundles on the same traffic, counted: what the one in service said and what its challenger did."""

import threading
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from inference_runtime.predictor import Answer

# Enough for a 99th percentile that stands, little enough to sort while others wait.
REMEMBERED = 4096


@dataclass
class Tally:
    """One side."""

    answers: int = 0
    positives: int = 0
    errors: int = 0
    timeouts: int = 0
    confidence: float = 0.0
    ms: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))

    def add(self, answer: Answer, ms: float) -> None:
        self.answers += 1
        self.positives += answer.p > 0.5
        self.confidence += max(answer.p, 1 - answer.p)
        self.ms.append(ms)

    def shown(self) -> dict[str, Any]:
        ordered = sorted(self.ms)
        return {
            "answers": self.answers,
            "positives": self.positives,
            "errors": self.errors,
            "timeouts": self.timeouts,
            "confidence": self.confidence / self.answers if self.answers else None,
            "ms_p50": _quantile(ordered, 0.5),
            "ms_p99": _quantile(ordered, 0.99),
        }


class Comparison:
    """`ms` is the time of the model alone, without waiting, so that both sides are measured alike."""

    def __init__(self, challenger: str, role: str, since: str) -> None:
        self._challenger, self._role, self._since = challenger, role, since
        self._lock = threading.Lock()
        self._both = self._disagree = self._dropped = 0
        self._serving, self._challenged = Tally(), Tally()

    def answered(self, answer: Answer, ms: float, within: float | None = None) -> None:
        """An answer that took longer than the seconds there were for it is a timeout instead."""
        with self._lock:
            if within is not None and ms > within * 1000:
                self._side(answer.bundle).timeouts += 1
            else:
                self._side(answer.bundle).add(answer, ms)

    def failed(self, bundle: str) -> None:
        with self._lock:
            self._side(bundle).errors += 1

    def met(self, given: Answer, unseen: Answer) -> None:
        with self._lock:
            self._both += 1
            # Of the bundles: whoever was asked unseen had no second opinion.
            self._disagree += (given.own_p > 0.5) != (unseen.own_p > 0.5)

    def dropped(self) -> None:
        """An unseen answer that there was no time for."""
        with self._lock:
            self._dropped += 1

    def shown(self) -> dict[str, Any]:
        with self._lock:
            return {
                "challenger": self._challenger,
                "role": self._role,
                "since": self._since,
                "both": self._both,
                "disagree": self._disagree,
                "dropped": self._dropped,
                "serving": self._serving.shown(),
                "challenged": self._challenged.shown(),
            }

    def _side(self, bundle: str) -> Tally:
        return self._challenged if bundle == self._challenger else self._serving


def _quantile(ordered: list[float], share: float) -> float | None:
    return round(ordered[int(share * (len(ordered) - 1))], 3) if ordered else None
