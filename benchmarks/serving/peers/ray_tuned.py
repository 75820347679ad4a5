"""Ray Serve tuned: a replica per core, room for many requests in each, fast JSON, no access log."""

import base64
import os
import signal
from pathlib import Path

import orjson
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response
from work import Work


@serve.deployment(
    num_replicas=os.cpu_count(),
    max_ongoing_requests=64,
    ray_actor_options={"num_cpus": 0.5},
    logging_config={"enable_access_log": False, "log_level": "ERROR"},
)
class Classifier:
    def __init__(self) -> None:
        self.work = Work(threads=1)

    async def __call__(self, request: Request) -> Response:
        body = await request.body()
        image = base64.b64decode(orjson.loads(body)["image"]) if body[:1] == b"{" else body
        return Response(orjson.dumps(self.work.one(image)), media_type="application/json")


if __name__ == "__main__":
    here = str(Path(__file__).parent)
    os.environ["PYTHONPATH"] = os.pathsep.join([here, os.environ.get("PYTHONPATH", "")])
    ray.init(num_cpus=os.cpu_count(), include_dashboard=False, configure_logging=False)
    serve.start(http_options={"host": "127.0.0.1", "port": int(os.environ["PORT"])})
    serve.run(Classifier.bind(), route_prefix="/json")
    signal.pause()
