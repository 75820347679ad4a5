"""The FiftyOne App: where people look at samples and label them."""

import sys

from pipeline.services import mongo, records, supervise
from pipeline.services.supervise import Service

NAME = "app"
PORT = 5151


def launch() -> Service:
    """Started, not ready yet: it takes 20 s. It needs MongoDB to stand and stay."""
    service = _service(mongo.up().url)
    supervise.launch(service)
    return service


def _service(uri: str) -> Service:
    port = supervise.free_port(NAME, PORT)
    return Service(
        name=NAME,
        # Loopback only: it has no login, and serves any file that it can read.
        command=[sys.executable, "-m", "fiftyone.server.main", "--port", str(port), "--address", "127.0.0.1"],
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=supervise.listens,
        environment={**mongo.fiftyone(uri), "FIFTYONE_PLUGINS_DIR": str(records.house() / "plugins")},
    )


def url() -> str | None:
    record = records.running(NAME)
    return record.url if record else None
