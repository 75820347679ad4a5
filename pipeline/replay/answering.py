"""Who answers: a bundle through the runtime's own predictor, or a runtime somewhere."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from inference_runtime import bundle
from inference_runtime.errors import ImageError
from inference_runtime.predictor import Predictor
from pipeline.world.asking import Asker

Ask = Callable[[bytes], float]


def of_bundle(folder: Path) -> tuple[str, Ask]:
    """A name to file the results under, and the bundle's answer to one picture."""
    loaded = bundle.load(folder)
    predictor = Predictor(loaded, threads=1)

    def ask(data: bytes) -> float:
        answer = predictor.predict([data])[0]
        # An answer that is no number earns nothing, and the campaign goes on.
        return -1.0 if isinstance(answer, ImageError) else answer.p

    return loaded.id[:16], ask


def of_url(url: str) -> tuple[str, Ask]:
    asker = Asker(url)
    return urlsplit(url).netloc.replace(":", "-"), asker.ask
