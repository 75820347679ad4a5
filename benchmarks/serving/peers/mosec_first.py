"""mosec as its first page teaches it."""

import base64

from mosec import Server, Worker
from work import Work


class Classifier(Worker):
    def __init__(self) -> None:
        super().__init__()
        self.work = Work()

    def forward(self, data: dict[str, str]) -> dict[str, float]:
        return self.work.one(base64.b64decode(data["image"]))


if __name__ == "__main__":
    server = Server()
    server.append_worker(Classifier, num=1, route="/json")
    server.run()
