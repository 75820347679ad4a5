"""BentoML as its first page teaches it."""

import base64

import bentoml
from work import Work


@bentoml.service
class Classifier:
    def __init__(self) -> None:
        self.work = Work()

    @bentoml.api(route="/json")
    def from_json(self, image: str) -> dict[str, float]:
        return self.work.one(base64.b64decode(image))
