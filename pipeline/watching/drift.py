"""Whether the champion's answers have moved, without a label: its last day against the two weeks before."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10


@dataclass(frozen=True)
class Drift:
    """`psi` is None where there are too few answers on either side to say."""

    psi: float | None
    answers: int
    before: int
    positives: float | None
    positives_before: float | None


def between(recent: Sequence[float], before: Sequence[float], least: int) -> Drift:
    says = min(len(recent), len(before)) >= least
    return Drift(
        psi=stability(recent, before) if says else None,
        answers=len(recent),
        before=len(before),
        positives=_positives(recent),
        positives_before=_positives(before),
    )


def stability(recent: Sequence[float], before: Sequence[float]) -> float:
    """Population stability index over ten equal bins of p: under .1 nothing, from .25 a changed population.

    Half an answer is added to each bin, so that an empty one is no infinity.
    """
    now, then = _shares(recent), _shares(before)
    return float(np.sum((now - then) * np.log(now / then)))


def _shares(answers: Sequence[float]) -> NDArray[np.float64]:
    counts = np.histogram(answers, BINS, (0.0, 1.0))[0] + 0.5
    return np.asarray(counts / counts.sum(), np.float64)


def _positives(answers: Sequence[float]) -> float | None:
    return float(np.mean(np.asarray(answers) > 0.5)) if len(answers) else None
