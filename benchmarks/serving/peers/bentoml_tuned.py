"""BentoML tuned: a worker per core, one ONNX Runtime thread each, no metrics, no tracing, no access log."""

import base64
import os

import bentoml
from work import Work


@bentoml.service(
    workers=os.cpu_count(),
    threads=2,
    traffic={"timeout": 60, "max_concurrency": 512},
    metrics={"enabled": False},
    logging={"access": {"enabled": False}},
)
class Classifier:
    def __init__(self) -> None:
        self.work = Work(threads=1)

    @bentoml.api(route="/json")
    def from_json(self, image: str) -> dict[str, float]:
        return self.work.one(base64.b64decode(image))

    @bentoml.api(route="/raw")
    def raw(self, image: bytes, /) -> dict[str, float]:
        return self.work.one(image)
