"""Features on one scale, whatever backbone they come from."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipeline.train.views import Numbers, Views


@dataclass(frozen=True)
class Scale:
    """Standardisation by halves: rare features speak up, but do not shout.

    Dividing by the whole deviation gives each feature an equal say, and the rare ones then fit the noise of a
    few images; not dividing leaves the word to a handful. The root between was the best of the three on
    painted streets, in AUC and in log loss, with 100 images and with 300.
    """

    mean: Numbers
    deviation: Numbers

    @classmethod
    def of(cls, views: Views) -> "Scale":
        vectors, weights = views.vectors.astype(np.float64), views.weights
        mean = weights @ vectors
        variance = weights @ np.square(vectors - mean)
        root = np.sqrt(np.sqrt(variance + 1e-6))
        # One unit for all backbones: then one range of weight decays serves them all.
        return cls(mean, root * np.sqrt(np.mean(variance / np.square(root)) + 1e-12))

    def apply(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        scaled: NDArray[np.float32] = ((vectors - self.mean) / self.deviation).astype(np.float32)
        return scaled

    def folded(self, weight: Numbers, bias: Numbers) -> tuple[Numbers, Numbers]:
        """The same layer, weight [...,D] and bias [...], on vectors that nobody has standardised."""
        raw = weight / self.deviation
        return raw, bias - raw @ self.mean
