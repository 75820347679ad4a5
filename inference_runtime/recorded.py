"""One image, one answer, one journal entry: the runtime for whoever brings a server of their own."""

import time
from concurrent.futures import Future

from inference_runtime.errors import ImageError
from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer, Predictor


class Recorded:
    """Safe to call from several threads; raises ImageError for what is no image."""

    def __init__(self, predictor: Predictor, journal: Journal | None) -> None:
        self.predictor = predictor
        self._journal = journal

    def answer(self, data: bytes) -> tuple[Answer, "Future[str] | None"]:
        """The answer, and the promise of its entry."""
        began = time.monotonic()
        (found,) = self.predictor.predict([data])
        if isinstance(found, ImageError):
            raise found
        ms = (time.monotonic() - began) * 1000
        return found, self._journal.submit(found, data, ms) if self._journal else None

    def close(self) -> None:
        if self._journal:
            self._journal.close()
