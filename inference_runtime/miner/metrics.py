"""`miner --metrics`: the exporter alone, without mining."""

import logging
import signal
import threading
from http.server import ThreadingHTTPServer
from importlib.util import find_spec

from inference_runtime.errors import Fixable
from inference_runtime.miner import chain
from inference_runtime.miner.check import address_of
from inference_runtime.miner.exporter import Watcher, server
from inference_runtime.miner.order import Order

PORT = 9173

log = logging.getLogger("inference_runtime")


def run(order: Order) -> int:
    """Until SIGTERM or SIGINT."""
    logging.basicConfig(level=logging.INFO, format="inference_runtime: %(message)s")
    serving = started(order)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    ended.wait()
    serving.shutdown()
    return 0


def started(order: Order) -> ThreadingHTTPServer:
    if not order.is_offline and find_spec("bittensor") is None:
        raise Fixable("miner: bittensor is not here; make env-miner, or --offline to tell what is remembered")
    address = order.address or address_of(order)
    ask = None if order.is_offline else lambda: chain.standing(order.network, order.netuid, address)
    watcher = Watcher(order.standing, ask)
    told = server(watcher, order.metrics_host, PORT if order.metrics_port is None else order.metrics_port)
    watcher.start()
    threading.Thread(target=told.serve_forever, name="metrics", daemon=True).start()
    log.info("metrics: http://%s:%d/metrics of %s", order.metrics_host, told.server_port, address)
    return told
