"""LitServe with the dynamic batching that its pages teach."""

import base64
import os
from typing import Annotated, Any

import litserve
from fastapi import Body
from work import Work


class Classifier(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.work = Work(threads=1)

    def decode_request(self, request: Annotated[Any, Body()]) -> bytes:
        return request if isinstance(request, bytes) else base64.b64decode(request["image"])

    def predict(self, images: list[bytes]) -> list[dict[str, float]]:
        return self.work.many(images)

    def encode_response(self, output: dict[str, float]) -> dict[str, float]:
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Classifier(api_path="/json", max_batch_size=8, batch_timeout=0.005),
        accelerator="cpu",
        workers_per_device=os.cpu_count() or 1,
        fast_queue=True,
        disable_openapi_url=True,
    )
    server.run(
        host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", generate_client_file=False
    )
