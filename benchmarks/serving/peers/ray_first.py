"""Ray Serve as its first page teaches it."""

import base64
import os
import signal

import ray
from ray import serve
from starlette.requests import Request
from work import Work


@serve.deployment
class Classifier:
    def __init__(self) -> None:
        self.work = Work()

    async def __call__(self, request: Request) -> dict[str, float]:
        return self.work.one(base64.b64decode((await request.json())["image"]))


if __name__ == "__main__":
    ray.init(num_cpus=os.cpu_count(), include_dashboard=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Classifier.bind(), route_prefix="/json")
    signal.pause()
