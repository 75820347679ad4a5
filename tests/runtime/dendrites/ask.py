"""Run by an interpreter that has bittensor: a real Dendrite asks the miner, well and badly; one JSON object.

ask.py WALLETS MINER_SS58 PORT PICTURE CASE...
"""

import asyncio
import base64
import json
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import bittensor
from bittensor.utils import networking
from bittensor_wallet import Wallet

networking.get_external_ip = lambda: "127.0.0.1"


class ImageSynapse(bittensor.Synapse):
    image: str
    prediction: float = -1.0
    testnet_label: int = -1


Dendrite = getattr(bittensor, "Dendrite", None) or bittensor.dendrite
AxonInfo = bittensor.AxonInfo
WALLETS, MINER, PORT, PICTURE = sys.argv[1:5]
AXON = AxonInfo(
    version=1, ip="127.0.0.1", port=int(PORT), ip_type=4, hotkey=MINER, coldkey=MINER, protocol=4,
    placeholder1=0, placeholder2=0,
)  # fmt: skip


def wallet(name: str) -> Wallet:
    return Wallet(name="validator", hotkey=name, path=WALLETS)


def text() -> str:
    return base64.b64encode(Path(PICTURE).read_bytes()).decode()


def said(synapse: ImageSynapse) -> dict[str, object]:
    terminal = synapse.axon
    return {
        "status": terminal.status_code,
        "message": terminal.status_message,
        "prediction": synapse.prediction,
        "took": synapse.dendrite.process_time,
    }


async def call(who: str, image: str, timeout: float = 9.0, spoil=None) -> dict[str, object]:
    dendrite = Dendrite(wallet=wallet(who))
    try:
        if spoil:
            prepare = dendrite.preprocess_synapse_for_request

            def spoiled(*given, **named):
                return spoil(prepare(*given, **named))

            dendrite.preprocess_synapse_for_request = spoiled
        return said(await dendrite.call(AXON, ImageSynapse(image=image), timeout=timeout, deserialize=False))
    finally:
        await dendrite.aclose_session()


def unsigned(synapse):
    synapse.dendrite.signature = ""
    return synapse


def impostor(synapse):
    synapse.dendrite.signature = "0x" + "12" * 64
    return synapse


def recorded(when: float) -> tuple[dict[str, str], bytes]:
    """The headers and body of a request that was signed `when` seconds ago."""
    dendrite = Dendrite(wallet=wallet("known"))
    synapse = ImageSynapse(image=text(), timeout=9.0)
    clock = time.time_ns
    time.time_ns = lambda: clock() - int(when * 1e9)
    synapse = dendrite.preprocess_synapse_for_request(AXON, synapse, 9.0)
    time.time_ns = clock
    return synapse.to_headers(), json.dumps(synapse.model_dump()).encode()


def send(headers: dict[str, str], body: bytes) -> dict[str, object]:
    url = f"http://127.0.0.1:{PORT}/ImageSynapse"
    request = urllib.request.Request(url, body, {**headers, "Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return {"status": answer.status, "prediction": json.load(answer)["prediction"], "message": ""}
    except urllib.error.HTTPError as error:
        return {"status": error.code, "message": json.load(error).get("message"), "prediction": -1.0}


async def answer(case: str) -> object:
    match case:
        case "valid":
            return await call("known", text())
        case "unsigned":
            return await call("known", text(), spoil=unsigned)
        case "impostor":
            return await call("known", text(), spoil=impostor)
        case "unknown":
            return await call("unknown", text())
        case "no permit":
            return await call("small", text())
        case "no image":
            return await call("known", base64.b64encode(b"no image").decode())
        case "huge":
            return await call("known", "A" * (3 << 20))
        case "slow":
            return await call("known", text(), timeout=3.0)
        case "replayed":
            request = recorded(0.0)
            return [send(*request), send(*request)]
        case "stale":
            return send(*recorded(60.0))
        case "stretched":
            headers, body = recorded(60.0)
            return send({**headers, "timeout": "100000"}, body)
        case "crowd":
            return await asyncio.gather(*(call("known", text()) for _ in range(12)))
    raise ValueError(case)


print(json.dumps({case: asyncio.run(answer(case)) for case in sys.argv[5:]}))
