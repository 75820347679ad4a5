"""A logistic model on vectors, fitted in one go: for questions asked of data, not for what is shipped."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Linear:
    centre: Numbers
    scale: Numbers
    weight: Numbers
    bias: float

    def logits(self, vectors: NDArray[np.floating]) -> Numbers:
        return ((vectors - self.centre) / self.scale) @ self.weight + self.bias

    def p(self, vectors: NDArray[np.floating]) -> Numbers:
        found: Numbers = expit(self.logits(vectors))
        return found


def fit(vectors: NDArray[np.floating], labels: NDArray[np.integer], weights: Numbers, decay: float) -> Linear:
    """Standardised; each class has half of the weight, whatever its size."""
    centre, scale = vectors.mean(axis=0), vectors.std(axis=0) + 1e-6
    unit = ((vectors - centre) / scale).astype(np.float64)
    sign = np.where(labels == 1, 1.0, -1.0)
    share = np.zeros(len(labels))
    for side in (-1.0, 1.0):
        share[sign == side] = weights[sign == side] / max(weights[sign == side].sum(), 1e-12) / 2

    def loss(given: Numbers) -> tuple[float, Numbers]:
        margin = sign * (unit @ given[:-1] + given[-1])
        slope = -share * sign * expit(-margin)
        total = -float(share @ log_expit(margin)) + decay / 2 * float(given[:-1] @ given[:-1])
        return total, np.append(unit.T @ slope + decay * given[:-1], slope.sum())

    found = minimize(loss, np.zeros(unit.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 200})
    return Linear(centre, scale, found.x[:-1], float(found.x[-1]))


def losses(logits: Numbers, labels: NDArray[np.integer]) -> Numbers:
    """Cross-entropy of each answer."""
    found: Numbers = -log_expit(np.where(labels == 1, logits, -logits))
    return found
