"""mosec with the dynamic batching that its pages teach: what waits is worked on together."""

import base64
import os

import orjson
from mosec import Server, Worker
from work import Work


class Classifier(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.work = Work(threads=1)

    def deserialize(self, data: bytes) -> bytes:
        return base64.b64decode(orjson.loads(data)["image"]) if data[:1] == b"{" else data

    def forward(self, data: list[bytes]) -> list[dict[str, float]]:
        return self.work.many(data)

    def serialize(self, data: dict[str, float]) -> bytes:
        return orjson.dumps(data)


if __name__ == "__main__":
    server = Server()
    cores = os.cpu_count() or 1
    server.append_worker(
        Classifier, num=cores, max_batch_size=8, max_wait_time=5, timeout=60, route=["/json", "/raw"]
    )
    server.run()
