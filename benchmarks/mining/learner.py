"""The learner that all strategies share: a logistic head on frozen vectors, fitted to the end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

Numbers = NDArray[np.float64]
Seen = NDArray[np.floating]


@dataclass(frozen=True)
class Softmax:
    weight: Numbers  # [C, D + 1]

    def p(self, seen: Seen) -> Numbers:
        """Probabilities [N, C]."""
        found: Numbers = softmax(seen @ self.weight[:, :-1].T + self.weight[:, -1], axis=1)
        return found


def fit(seen: Seen, labels: NDArray[np.int64], kinds: int, decay: float, near: Softmax | None) -> Softmax:
    """`near` is where to start: the head before the newest labels."""
    target = np.eye(kinds)[labels]
    shape = (kinds, seen.shape[1] + 1)

    def loss(flat: Numbers) -> tuple[float, Numbers]:
        weight = flat.reshape(shape)
        logits = log_softmax(seen @ weight[:, :-1].T + weight[:, -1], axis=1)
        error = (np.exp(logits) - target) / len(seen)
        slope = np.hstack([error.T @ seen + decay * weight[:, :-1], error.sum(axis=0)[:, None]])
        total = -float((target * logits).sum()) / len(seen) + decay / 2 * float((weight[:, :-1] ** 2).sum())
        return total, slope.ravel()

    start: Numbers = near.weight.ravel() if near else np.zeros(shape[0] * shape[1])
    # Beyond that no answer changes.
    stop = {"maxiter": 200, "ftol": 1e-7, "gtol": 1e-4}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=stop)  # type: ignore[call-overload]
    return Softmax(found.x.reshape(shape))
