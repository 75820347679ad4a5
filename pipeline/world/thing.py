"""The nouns of a scene: the street, and what stands in it."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Street:
    kind: str  # "city", "suburb" or "highway"
    region: str  # "us" or "eu": whose markings and whose roadwork
    lanes: int
    lane: float  # metres
    pavement: float

    @property
    def edge(self) -> float:
        """How far the kerb is from the middle of the road."""
        return self.lanes * self.lane / 2


@dataclass(frozen=True)
class Thing:
    """Something upright: `kind` names its drawing, `style` its variant, `seed` all of its details."""

    kind: str
    x: float
    z: float
    seed: int
    style: str = ""
    size: float = 1.0

    def rng(self) -> np.random.Generator:
        return np.random.default_rng(self.seed)
