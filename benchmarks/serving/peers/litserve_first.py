"""LitServe as its first page teaches it."""

import base64
import os

import litserve
from work import Work


class Classifier(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.work = Work()

    def decode_request(self, request):  # type: ignore[no-untyped-def]
        return base64.b64decode(request["image"])

    def predict(self, image: bytes) -> dict[str, float]:
        return self.work.one(image)

    def encode_response(self, output: dict[str, float]) -> dict[str, float]:
        return output


if __name__ == "__main__":
    api = Classifier(api_path="/json")
    litserve.LitServer(api, accelerator="cpu").run(
        host="127.0.0.1", port=int(os.environ["PORT"]), generate_client_file=False
    )
