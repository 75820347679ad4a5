"""Several GPUs: one engine each, and every batch goes to one that is least busy."""

from collections.abc import Sequence
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from inference_runtime.engines import Engine
from inference_runtime.preprocess import Pixels


class Fleet:
    def __init__(self, engines: Sequence[Engine]) -> None:
        self.name = engines[0].name
        self._engines, self._busy, self._count = engines, [0] * len(engines), Lock()

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        with self._count:
            place = self._busy.index(min(self._busy))
            self._busy[place] += 1
        try:
            return self._engines[place].logits(pixels)
        finally:
            with self._count:
                self._busy[place] -= 1
