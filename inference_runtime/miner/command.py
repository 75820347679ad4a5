"""The words of `python -m inference_runtime miner`."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_runtime import keeping
from inference_runtime.errors import Fixable

if TYPE_CHECKING:
    from inference_runtime.miner.order import Order

GET_IT = "pip install 'retrain-72[miner]', or make env-miner"
MB = 1 << 20


def add(commands: Any) -> None:
    command: argparse.ArgumentParser = commands.add_parser(
        "miner",
        help="answer the validators of a bittensor subnet",
        epilog=f"It needs bittensor, in an environment of its own: {GET_IT}.",
    )
    _add_answering(command)
    _add_chain(command)
    _add_door(command)
    _add_metrics(command)
    keeping.add(command)


def _add_answering(command: argparse.ArgumentParser) -> None:
    flag = command.add_argument
    flag("--check", action="store_true", help="look whether all is well, say what is not, and end")
    flag("--bundle", type=Path, metavar="DIR", help="answers in this process")
    flag("--url", help="asks a running `serve` instead, which journals by itself")
    flag("--journal", type=Path, metavar="DIR", help="where the answers of --bundle are kept")
    flag("--profile", choices=("speed", "accuracy"), default="accuracy",
         help="int8 weights where the bundle has them, or the full ones (default: %(default)s)")  # fmt: skip
    flag("--threads", type=int, metavar="N", help="pictures at once (default: one per CPU)")
    flag("--timeout", type=float, default=9.0, metavar="SECONDS",
         help="what validators wait; the answer comes before it (default: %(default)g)")  # fmt: skip


def _add_chain(command: argparse.ArgumentParser) -> None:
    flag = command.add_argument
    flag("--wallet", default="default", help="(default: %(default)s)")
    flag("--hotkey", default="default", help="(default: %(default)s)")
    flag(
        "--wallets",
        type=Path,
        default=Path("~/.bittensor/wallets"),
        metavar="DIR",
        help="(default: %(default)s)",
    )
    flag("--netuid", type=int, default=72, help="(default: %(default)s)")
    flag("--network", default="finney", help="or the address of a node (default: %(default)s)")
    flag("--offline", action="store_true", help="never ask the chain; who calls is looked up in --neurons")
    flag("--neurons", type=Path, default=Path("neurons.json"), metavar="FILE",
         help="who is on the subnet, as last seen (default: %(default)s)")  # fmt: skip
    flag("--announce", action="store_true", help="write address and port to the chain at the start")


def _add_door(command: argparse.ArgumentParser) -> None:
    flag = command.add_argument
    flag("--host", default="0.0.0.0", help="(default: %(default)s)")
    flag("--port", type=int, default=8091, help="(default: %(default)s)")
    flag("--external-ip", help="what validators call (default: found out)")
    flag("--without-permit", action="store_true", help="answer hotkeys without a validator permit, too")
    flag("--min-stake", type=float, default=0.0, metavar="TAO", help="(default: %(default)g)")
    flag("--max-mb", type=float, default=16.0, metavar="MB", help="of a request (default: %(default)g)")


def _add_metrics(command: argparse.ArgumentParser) -> None:
    told = command.add_argument_group("how the hotkey stands, for Prometheus")
    flag = told.add_argument
    flag("--metrics", action="store_true", help="tell that, and nothing else: nothing is mined or written")
    flag("--metrics-port", type=int, metavar="PORT",
         help="there, also while mining (default of --metrics: 9173; 0: a free one)")  # fmt: skip
    flag("--metrics-host", default="127.0.0.1", metavar="HOST", help="(default: %(default)s)")
    flag("--address", metavar="SS58", help="another hotkey than the wallet's, for --metrics")
    flag("--standing", type=Path, default=Path("chain.json"), metavar="FILE",
         help="how it stood, as last seen (default: %(default)s)")  # fmt: skip


def run(given: argparse.Namespace) -> int:
    order = _order(given)
    if given.metrics:
        from inference_runtime.miner import metrics

        return metrics.run(order)
    if given.check:
        from inference_runtime.miner import check

        return check.run(order)
    if (order.bundle is None) == (order.url is None):
        raise Fixable("miner: give it a --bundle to answer with, or the --url of a running `serve`")
    if order.bundle is not None and order.journal is None:
        raise Fixable("miner: --bundle answers in this process, so name a --journal to keep the answers in")
    try:
        from inference_runtime.miner import run as mining
    except ModuleNotFoundError as error:
        raise Fixable(f"miner: {error.name} is not here; {GET_IT}") from None
    return mining.run(order, keeping.of(given))


def _order(given: argparse.Namespace) -> "Order":
    from inference_runtime.miner.order import Order
    from inference_runtime.miner.rules import Rules

    return Order(
        bundle=given.bundle,
        url=given.url,
        journal=given.journal,
        profile=given.profile,
        threads=given.threads,
        wallet=given.wallet,
        hotkey=given.hotkey,
        wallets=given.wallets.expanduser(),
        netuid=given.netuid,
        network=given.network,
        is_offline=given.offline,
        neurons=given.neurons,
        host=given.host,
        port=given.port,
        external_ip=given.external_ip,
        timeout=given.timeout,
        body_bytes=int(given.max_mb * MB),
        announces=given.announce,
        rules=Rules(needs_permit=not given.without_permit, min_stake=given.min_stake),
        address=given.address,
        standing=given.standing,
        metrics_host=given.metrics_host,
        metrics_port=given.metrics_port,
    )
