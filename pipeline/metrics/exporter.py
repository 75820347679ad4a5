"""`python -m pipeline metrics`: printed once, or served to whoever scrapes."""

import signal
import threading

from prometheus_client import CollectorRegistry, generate_latest, start_http_server

from inference_runtime.errors import Fixable
from pipeline.metrics.house import House
from pipeline.params import Params
from pipeline.progress import say


def text(params: Params) -> str:
    return generate_latest(_registry(params)).decode()


def serve(params: Params, host: str, port: int) -> None:
    """Until SIGTERM or SIGINT."""
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        server, thread = start_http_server(port, host, _registry(params))
    except OSError as error:
        raise Fixable(f"--port {port}: {error.strerror}; name another") from None
    say(f"metrics: http://{host}:{server.server_port}/metrics")
    stop.wait()
    server.shutdown()
    thread.join()


def _registry(params: Params) -> CollectorRegistry:
    registry = CollectorRegistry()
    registry.register(House(params))
    return registry
