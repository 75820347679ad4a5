"""Is it worth starting, and if not, what is to be done: a line for each question."""

import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version

from inference_runtime.errors import Fixable
from inference_runtime.miner import neurons
from inference_runtime.miner.engine import predictor_for
from inference_runtime.miner.neurons import Neurons
from inference_runtime.miner.order import Order

OK, WARN, FAIL = "ok", "warn", "fail"
OLD_SECONDS = 86400.0
CHAIN_SECONDS = 30.0


@dataclass(frozen=True)
class Line:
    state: str
    what: str
    said: str


def run(order: Order) -> int:
    """1 when something fails; what only warns, like an absent chain, does not stop a miner."""
    states = []
    for line in lines(order):
        print(f"{line.state:4}  {line.what}: {line.said}", flush=True)
        states.append(line.state)
    return int(FAIL in states)


def lines(order: Order) -> Iterator[Line]:
    yield _sdk()
    hotkey = _hotkey(order)
    yield hotkey[0]
    yield _model(order)
    chain, crowd = _chain(order)
    yield chain
    yield registered(hotkey[1], crowd)
    yield weights(crowd)
    yield _door(order)
    yield _last(order)


def _sdk() -> Line:
    try:
        return Line(OK, "bittensor", version("bittensor"))
    except PackageNotFoundError:
        return Line(FAIL, "bittensor", "not here; pip install 'retrain-72[miner]', or make env-miner")


def _hotkey(order: Order) -> tuple[Line, str | None]:
    try:
        address = address_of(order)
    except Fixable as error:
        return Line(FAIL, "hotkey", str(error)), None
    return Line(OK, "hotkey", address), address


def address_of(order: Order) -> str:
    import json

    file = order.wallets / order.wallet / "hotkeys" / order.hotkey
    try:
        return str(json.loads(file.read_bytes())["ss58Address"])
    except (OSError, ValueError, KeyError, TypeError):
        remedy = "name --wallets, --wallet and --hotkey, or make one with btcli wallet new-hotkey"
        raise Fixable(f"{file} is none that can be read; {remedy}") from None


def _model(order: Order) -> Line:
    if order.url:
        return _server(order.url)
    if order.bundle is None:
        return Line(FAIL, "bundle", "none; give --bundle, or --url of a running `serve`")
    try:
        predictor = predictor_for(order.bundle, order.profile)
    except Fixable as error:
        return Line(FAIL, "bundle", str(error))
    return Line(OK, "bundle", f"{predictor.bundle.id} answers, engine {predictor.engine}")


def _server(url: str) -> Line:
    import urllib.request

    try:
        with urllib.request.urlopen(f"{url.rstrip('/')}/readyz", timeout=5):
            return Line(OK, "server", f"{url} is ready")
    except (OSError, ValueError) as error:
        return Line(
            FAIL, "server", f"{url}: {error}; start `python -m inference_runtime serve`, or correct --url"
        )


def _chain(order: Order) -> tuple[Line, Neurons]:
    """What the chain says now, else what is remembered of it."""
    if not order.is_offline:
        try:
            from inference_runtime.miner import chain

            found = chain.neurons(order.network, order.netuid, CHAIN_SECONDS)
            return Line(OK, "chain", f"{order.network} answers, block {found.block}"), found
        except Fixable as error:
            said = str(error)
    else:
        said = "not asked, --offline"
    return _remembered(order, said)


def _remembered(order: Order, said: str) -> tuple[Line, Neurons]:
    try:
        known = neurons.load(order.neurons)
    except Fixable as error:
        return Line(FAIL, "chain", f"{said}; {error}"), neurons.NOBODY
    if not known.by_hotkey:
        return Line(
            FAIL, "chain", f"{said}; and {order.neurons} remembers nobody, so none is answered"
        ), known
    age = f"{len(known.by_hotkey)} neurons remembered, {known.age / 3600:.1f} h old"
    return Line(WARN, "chain", f"{said}; {age}"), known


def registered(hotkey: str | None, crowd: Neurons) -> Line:
    if hotkey is None or not crowd.by_hotkey:
        return Line(WARN, "registered", "unknown, without a hotkey and a chain")
    neuron = crowd.by_hotkey.get(hotkey)
    if neuron is None:
        return Line(FAIL, "registered", "no; look at the next line before you pay for btcli subnet register")
    return Line(OK, "registered", f"as uid {neuron.uid}")


def weights(crowd: Neurons) -> Line:
    """Of the stake that sets weights, the share that goes to anybody but the subnet's owner."""
    setting = [one for one in crowd.by_hotkey.values() if one.permit and one.shared is not None]
    stake = sum(one.stake for one in setting)
    if not stake:
        return Line(WARN, "weights", "unknown; no validator is seen to set any")
    share = sum(one.stake * (one.shared or 0.0) for one in setting) / stake
    said = f"{share:.1%} of what {len(setting)} validators give goes to miners, the rest to the owner"
    if share < 0.001:
        return Line(FAIL, "weights", f"{said}; nothing can be earned here now, so pay for nothing")
    return Line(OK if share > 0.5 else WARN, "weights", said)


def _door(order: Order) -> Line:
    place = "127.0.0.1" if order.host == "0.0.0.0" else order.host
    if not _listens(place, order.port):
        said = f"nobody listens on {place}:{order.port}; start the miner"
        return Line(WARN, "port", said)
    if order.external_ip and not _listens(order.external_ip, order.port):
        remedy = "open it in the firewall or router, or ask from another machine"
        return Line(WARN, "port", f"{order.external_ip}:{order.port} does not answer from here; {remedy}")
    return Line(OK, "port", f"{order.external_ip or place}:{order.port} takes connections")


def _listens(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), timeout=5):
            return True
    except OSError:
        return False


def _last(order: Order) -> Line:
    if order.journal is None:
        return Line(WARN, "challenges", "unknown; name the --journal to see when the last one came")
    at = last_answer(order)
    if at is None:
        return Line(WARN, "challenges", f"none in {order.journal} yet")
    age = time.time() - at.timestamp()
    said = f"the last one was answered {age / 3600:.1f} h ago"
    if age > OLD_SECONDS:
        return Line(WARN, "challenges", f"{said}; see registered, weights and port")
    return Line(OK, "challenges", said)


def last_answer(order: Order) -> datetime | None:
    from inference_runtime.entries import Entry, read, segments

    assert order.journal
    for file in reversed(segments(order.journal)):
        found = [one.at for one in read(file) if isinstance(one, Entry)]
        if found:
            return datetime.fromisoformat(max(found))
    return None
