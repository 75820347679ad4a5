"""Logistic regression on vectors: what a representation knows, measured in the plainest way."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray

Vectors = NDArray[np.float32]
Classify = Callable[[Vectors], NDArray[np.bool_]]
DECAYS = (0.003, 0.01, 0.03, 0.1, 0.3)


def fit(vectors: Vectors, labels: NDArray[np.int64]) -> Classify:
    """Logistic regression, its weight decay chosen on the last fifth of what it may learn from."""
    edge = len(labels) * 4 // 5
    scores = {
        decay: (logistic(vectors[:edge], labels[:edge], decay)(vectors[edge:]) == (labels[edge:] == 1)).mean()
        for decay in DECAYS
    }
    return logistic(vectors, labels, max(scores, key=lambda decay: scores[decay]))


def logistic(vectors: Vectors, labels: NDArray[np.int64], decay: float) -> Classify:
    centre, spread = vectors.mean(axis=0), vectors.std(axis=0) + 1e-4
    inputs, wanted = (
        torch.from_numpy((vectors - centre) / spread),
        torch.from_numpy(labels.astype(np.float32)),
    )
    weights, bias = torch.zeros(vectors.shape[1], requires_grad=True), torch.zeros(1, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights, bias], max_iter=80, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        error = torch.nn.functional.binary_cross_entropy_with_logits(inputs @ weights + bias, wanted)
        total = error + decay * (weights * weights).sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    optimiser.step(loss)  # type: ignore[no-untyped-call]
    slope, offset = weights.detach().numpy(), bias.item()
    return lambda queries: ((queries - centre) / spread) @ slope + offset > 0
