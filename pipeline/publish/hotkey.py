"""The address that submits a model: it must be one, and the one that serves."""

import hashlib
import os

from inference_runtime.errors import Fixable

SERVING = "SERVING_HOTKEY"
ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
SUBSTRATE = 42  # the generic network, which the subnet's chain uses


def refuse_wrong(hotkey: str | None) -> None:
    """Mistyped, of another chain, or not that of the miner which serves: the network would pay nobody."""
    serving = os.environ.get(SERVING)
    if serving and not is_address(serving):
        raise Fixable(f"{SERVING}: {serving!r} is no ss58 address; give that of the miner's hotkey")
    if hotkey is not None and not is_address(hotkey):
        raise Fixable(f"params.yaml: publish.hotkey: {hotkey!r} is no ss58 address; copy it from the wallet")
    if serving and hotkey != serving:
        raise Fixable(
            f"params.yaml: publish.hotkey: {hotkey} submits, but {serving} serves ({SERVING});"
            " the network pays only if they are the same"
        )


def is_address(text: str) -> bool:
    """One byte of network, a key of 32, and two bytes of its checksum, in base 58."""
    data = _base58(text)
    if data is None or len(data) != 35 or data[0] != SUBSTRATE:
        return False
    return hashlib.blake2b(b"SS58PRE" + data[:33]).digest()[:2] == data[33:]


def _base58(text: str) -> bytes | None:
    if not text or len(text) > 64 or any(letter not in ALPHABET for letter in text):
        return None
    number = 0
    for letter in text:
        number = number * 58 + ALPHABET.index(letter)
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
