"""Moves the operating point onto p = 0.5 and makes p mean what it says, by two numbers fitted on dev."""

from dataclasses import replace

import numpy as np
from scipy.optimize import minimize

from pipeline.classifier import Head
from pipeline.train.views import Labels, Numbers, Views

# How far, as a standard deviation, we believe log temperature and bias to lie from 0 before we see dev: a
# handful of dev images moves them little, hundreds move them where they must.
BELIEF = 0.5


def calibrated(head: Head, dev: Views) -> Head:
    """The same ranking: only the temperature and the offset change."""
    # An image's views are no independent witnesses: the evidence is counted in families.
    weights = dev.weights * dev.frame["family"].n_unique()
    raw = head.logits(dev.vectors).astype(np.float64)
    temperature, offset = temperature_and_offset(raw, dev.labels, weights)
    return replace(head, temperature=temperature, offset=offset)


def temperature_and_offset(logits: Numbers, labels: Labels, weights: Numbers) -> tuple[float, float]:
    """Minimises the weighted log loss of logits / temperature + offset, pulled towards (1, 0)."""
    signs = np.where(labels > 0, 1.0, -1.0)

    def loss(point: Numbers) -> float:
        moved = logits * np.exp(-point[0]) + point[1]
        misfit = weights @ np.logaddexp(0.0, -signs * moved)
        return float(misfit + (point @ point) / (2 * BELIEF**2))

    # Rounded, so that the last bits of a line search never reach a file's hash.
    best = minimize(loss, np.zeros(2), method="L-BFGS-B", bounds=[(-3, 3), (-10, 10)]).x
    return float(np.round(np.exp(best[0]), 6)), float(np.round(best[1], 6))
