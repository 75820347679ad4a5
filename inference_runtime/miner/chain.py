"""What the chain says, with a bound on the waiting for it."""

import threading
import time
from collections.abc import Callable
from typing import Any

from inference_runtime.errors import Fixable
from inference_runtime.miner.neurons import Neuron, Neurons
from inference_runtime.miner.standing import Standing, of

SECONDS = 60.0


class Absent(Fixable):
    """No chain answers: a state to live with, for the miner knows who was there."""


def neurons(network: str, netuid: int, seconds: float = SECONDS) -> Neurons:
    found: Neurons = _within(seconds, network, lambda: _neurons(network, netuid))
    return found


def standing(network: str, netuid: int, hotkey: str, seconds: float = SECONDS) -> Standing:
    found: Standing = _within(seconds, network, lambda: _standing(network, netuid, hotkey))
    return found


def announce(network: str, netuid: int, axon: Any, seconds: float = SECONDS) -> None:
    """Writes the axon's address to the chain, signed by its wallet."""
    from bittensor import Subtensor

    done = _within(seconds, network, lambda: Subtensor(network=network).serve_axon(netuid, axon))
    if not done.success:
        raise Fixable(f"--announce: the chain refuses it ({done.message}); is the hotkey registered?")


def _neurons(network: str, netuid: int) -> Neurons:
    from bittensor import Subtensor

    subtensor = Subtensor(network=network)
    try:
        seen = subtensor.metagraph(netuid, lite=True)
        owner = subtensor.get_subnet_owner_hotkey(netuid)
        weights = dict(subtensor.weights(netuid))
    finally:
        subtensor.close()
    return snapshot(seen, owner, weights)


def _standing(network: str, netuid: int, hotkey: str) -> Standing:
    from bittensor import Subtensor

    subtensor = Subtensor(network=network)
    try:
        seen = subtensor.metagraph(netuid, lite=True)
        owner = subtensor.get_subnet_owner_hotkey(netuid)
        price = subtensor.recycle(netuid)
    finally:
        subtensor.close()
    return of(seen, owner, price, hotkey)


def snapshot(seen: Any, owner: str | None, weights: dict[int, list[tuple[int, int]]]) -> Neurons:
    """Of a metagraph, the owner's hotkey and the weights that each uid has set."""
    hotkeys = list(seen.hotkeys)
    owned = hotkeys.index(owner) if owner in hotkeys else None
    found = {
        hotkey: Neuron(
            uid=uid,
            stake=float(seen.S[uid]),
            permit=bool(seen.validator_permit[uid]),
            shared=_shared(weights.get(uid, []), owned),
        )
        for uid, hotkey in enumerate(hotkeys)
    }
    return Neurons(time.time(), int(seen.block), found)


def _shared(weights: list[tuple[int, int]], owner: int | None) -> float | None:
    total = sum(weight for _, weight in weights)
    kept = sum(weight for uid, weight in weights if uid == owner)
    return (total - kept) / total if total else None


def _within(seconds: float, network: str, call: Callable[[], Any]) -> Any:
    # In a thread that may be left behind: the SDK itself may wait for ever.
    results: list[Any] = []
    errors: list[Exception] = []

    def run() -> None:
        try:
            results.append(call())
        except Exception as error:  # noqa: BLE001, the SDK's errors have no common root
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if results:
        return results[0]
    said = " ".join(str(errors[0]).split())[:200] if errors else f"nothing within {seconds:.0f} s"
    raise Absent(f"chain {network}: {said}; check the network, or name another --network")
