"""The miner's life: wallet, who is there, the axon, and what keeps both fresh."""

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bittensor import Wallet
from bittensor.utils import networking

from inference_runtime.errors import Fixable
from inference_runtime.keeping import Keeping
from inference_runtime.miner import chain, metrics, neurons
from inference_runtime.miner.answering import Answering, InProcess, OverHttp
from inference_runtime.miner.axon import axon_for
from inference_runtime.miner.engine import predictor_for
from inference_runtime.miner.neurons import Neurons
from inference_runtime.miner.order import Order
from inference_runtime.miner.turns import Turns

REFRESH_SECONDS = 600.0
# Over HTTP the server has the queue; enough to keep it busy.
ASKED_AT_ONCE = 16

log = logging.getLogger("inference_runtime")


def run(order: Order, keeping: Keeping) -> int:
    logging.basicConfig(level=logging.INFO, format="inference_runtime: %(message)s")
    wallet = _wallet(order)
    _check_port(order)
    crowd = Crowd(order)
    with _answering(order, keeping) as (answering, at_once):
        ip = order.external_ip or _external_ip()
        axon = axon_for(wallet, order, ip, lambda: crowd.now, answering, Turns(at_once))
        if order.announces:
            chain.announce(order.network, order.netuid, axon)
        if order.metrics_port is not None:
            metrics.started(order)
        crowd.start()
        _serve(axon, order, wallet)
    log.info("stopped")
    return 0


class Crowd:
    """Who is on the subnet: from the file, and from the chain when it answers."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self.now: Neurons = neurons.load(order.neurons)
        if order.is_offline and not self.now.by_hotkey:
            raise Fixable(
                f"{order.neurons}: names nobody, so nobody would be answered; run once without --offline"
            )

    def start(self) -> None:
        if not self._order.is_offline:
            threading.Thread(target=self._run, name="neurons", daemon=True).start()

    def _run(self) -> None:
        while True:
            self._refresh()
            time.sleep(REFRESH_SECONDS)

    def _refresh(self) -> None:
        try:
            self.now = chain.neurons(self._order.network, self._order.netuid)
            neurons.save(self.now, self._order.neurons)
        except Fixable as error:
            known = len(self.now.by_hotkey)
            log.warning("%s; going on with the %d neurons of %s", error, known, self._order.neurons)
        except OSError as error:
            log.warning("%s: %s; who is there is not remembered", self._order.neurons, error.strerror)


@contextmanager
def _answering(order: Order, keeping: Keeping) -> Iterator[tuple[Answering, int]]:
    """What answers, and how many it takes at once."""
    if order.url:
        yield OverHttp(order.url), ASKED_AT_ONCE
        return
    from inference_runtime.journal import Journal
    from inference_runtime.recorded import Recorded

    assert order.bundle and order.journal
    threads = order.threads or len(os.sched_getaffinity(0))
    predictor = predictor_for(order.bundle, order.profile)
    answering = InProcess(Recorded(predictor, Journal(order.journal, keeping)), threads)
    log.info("answering with %s, engine %s", predictor.bundle.id, predictor.engine)
    try:
        # As many as there are threads: who waits, waits in line by stake.
        yield answering, threads
    finally:
        answering.close()


def _serve(axon: Any, order: Order, wallet: Any) -> None:
    """Until SIGTERM or SIGINT; what is under way is answered. (axon.start() would poll a thread.)"""

    def stop(*_: object) -> None:
        axon.fast_server.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    log.info("mining as %s on %s:%d", wallet.hotkey.ss58_address, order.host, order.port)
    axon.fast_server.run()


def _wallet(order: Order) -> Any:
    file = order.wallets / order.wallet / "hotkeys" / order.hotkey
    if not file.is_file():
        raise Fixable(f"{file}: no hotkey; name --wallets, --wallet and --hotkey, or make one with btcli")
    return Wallet(name=order.wallet, hotkey=order.hotkey, path=str(Path(order.wallets)))


def _check_port(order: Order) -> None:
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((order.host, order.port))
    except OSError as error:
        raise Fixable(
            f"{order.host}:{order.port}: {error.strerror}; name another --host or --port"
        ) from error


def _external_ip() -> str:
    try:
        return str(networking.get_external_ip())
    except Exception as error:  # noqa: BLE001, it raises whatever its many ways of asking raise
        log.warning("external address: unknown (%s); name --external-ip before --announce", error)
        return "127.0.0.1"
