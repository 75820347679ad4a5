"""mosec tuned: a worker per core that takes the bytes as they come, no waiting for a batch."""

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

    def forward(self, data: bytes) -> dict[str, float]:
        return self.work.one(data)

    def serialize(self, data: dict[str, float]) -> bytes:
        return orjson.dumps(data)


if __name__ == "__main__":
    server = Server()
    server.append_worker(Classifier, num=os.cpu_count() or 1, timeout=60, route=["/json", "/raw"])
    server.run()
