"""The SDK's axon with our rules: who is let in, what is verified, whose turn it is, what is said."""

import logging
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Tuple  # noqa: UP035

from bittensor import Axon, TerminalInfo

from inference_runtime.miner.answering import UNSURE, Answering, prediction
from inference_runtime.miner.freshness import objection
from inference_runtime.miner.limits import BodyLimit
from inference_runtime.miner.neurons import Neurons
from inference_runtime.miner.order import Order
from inference_runtime.miner.rules import stake
from inference_runtime.miner.synapse import ImageSynapse
from inference_runtime.miner.turns import Turns
from inference_runtime.wire import Refusal

# What the way there and back may take of the time that a validator waits.
ON_THE_WAY = 1.5
LEAST_SECONDS = 0.5

log = logging.getLogger("inference_runtime")

# Stake of the verified caller, and when the answer must be ready. The body names a caller, too, but unsigned.
_caller: ContextVar[tuple[float, float]] = ContextVar("caller")


def axon_for(
    wallet: Any,
    order: Order,
    external_ip: str,
    neurons: Callable[[], Neurons],
    answering: Answering,
    turns: Turns,
) -> Any:
    axon = Axon(wallet=wallet, port=order.port, external_ip=external_ip, max_workers=1)
    axon.fast_config.host = order.host  # the SDK would listen everywhere

    def blacklist(synapse: ImageSynapse) -> Tuple[bool, str]:  # noqa: UP006, the SDK compares annotations
        reason = order.rules.refusal(synapse.dendrite.hotkey, neurons())
        return reason is not None, reason or ""

    async def verify(synapse: ImageSynapse) -> None:
        caller = synapse.dendrite
        if reason := objection(caller.signature, caller.nonce, caller.version, synapse.timeout):
            raise PermissionError(reason)
        await axon.default_verify(synapse)
        wait = min(order.timeout, synapse.timeout or order.timeout) - ON_THE_WAY
        _caller.set((stake(caller.hotkey, neurons()), time.monotonic() + max(LEAST_SECONDS, wait)))

    async def forward(synapse: ImageSynapse) -> ImageSynapse:
        weight, deadline = _caller.get()
        try:
            synapse.prediction = await _in_turn(turns, weight, answering, synapse.image, deadline)
        except Refusal as refusal:
            _refuse(synapse, refusal)
        synapse.image = ""  # who asked has it
        return synapse

    axon.attach(forward_fn=forward, blacklist_fn=blacklist, verify_fn=verify)
    axon.app.add_middleware(BodyLimit, limit=order.body_bytes)
    return axon


async def _in_turn(turns: Turns, weight: float, answering: Answering, image: str, deadline: float) -> float:
    try:
        return await prediction(turns, weight, answering, image, deadline)
    except Refusal:
        raise
    except Exception:  # a validator that gets no number counts it against all that was said before
        log.exception("miner: no answer; said %.1f", UNSURE)
        return UNSURE


def _refuse(synapse: ImageSynapse, refusal: Refusal) -> None:
    synapse.axon = synapse.axon or TerminalInfo()
    synapse.axon.status_code = int(refusal.response.status)
    synapse.axon.status_message = str(refusal)[:200]
