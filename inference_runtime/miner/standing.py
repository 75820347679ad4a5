"""How one hotkey stands on the subnet, as last seen: kept in a file, told to Prometheus."""

import json
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from inference_runtime.segment import sync_folder

ABOUT = {
    "chain_up": "whether the chain answered when it was last asked",
    "chain_age_seconds": "since it last did",
    "block": "of that answer",
    "neurons": "registered on the subnet",
    "burn": "share of the miners' incentive that goes to the subnet's owner",
    "registration_tao": "what a registration costs now",
    "registered": "whether the hotkey is",
    "uid": "of the hotkey",
    "rank": "of the hotkey by incentive, 1 is the best",
    "incentive": "of the hotkey, a share of all",
    "emission": "to the hotkey in a tempo",
    "stake": "of the hotkey",
}


@dataclass(frozen=True)
class Standing:
    """`at` and what follows are of the last time the chain answered; None is unknown, or no neuron's."""

    up: bool = False
    at: float = 0.0  # seconds since 1970
    block: int | None = None
    neurons: int | None = None
    burn: float | None = None
    registration_tao: float | None = None
    uid: int | None = None
    rank: int | None = None
    incentive: float | None = None
    emission: float | None = None
    stake: float | None = None


NEVER = Standing()


def of(seen: Any, owner: str | None, price: Any, hotkey: str) -> Standing:
    """Of a metagraph, the owner's hotkey, and what a registration costs."""
    hotkeys, incentives = list(seen.hotkeys), [float(one) for one in seen.I]
    uid = hotkeys.index(hotkey) if hotkey in hotkeys else None
    whole = sum(incentives)
    burned = incentives[hotkeys.index(owner)] if owner in hotkeys else 0.0
    known = Standing(
        up=True,
        at=time.time(),
        block=int(seen.block),
        neurons=len(hotkeys),
        burn=burned / whole if whole else None,
        registration_tao=None if price is None else float(price),
    )
    return known if uid is None else _with_neuron(known, seen, uid, incentives)


def _with_neuron(known: Standing, seen: Any, uid: int, incentives: list[float]) -> Standing:
    mine: dict[str, Any] = {
        "uid": uid,
        "rank": 1 + sum(one > incentives[uid] for one in incentives),
        "incentive": incentives[uid],
        "emission": float(seen.E[uid]),
        "stake": float(seen.S[uid]),
    }
    return Standing(**asdict(known) | mine)


def load(file: Path) -> Standing:
    """NEVER where there is no file yet."""
    try:
        return Standing(**json.loads(file.read_bytes()))
    except FileNotFoundError:
        return NEVER
    except (OSError, ValueError, TypeError) as error:
        raise Fixable(f"{file}: is no standing ({error}); remove it, it is fetched again") from error


def save(standing: Standing, file: Path) -> None:
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(json.dumps(asdict(standing), indent=1))
    draft.rename(file)
    sync_folder(file.parent)


def text(standing: Standing) -> str:
    """As Prometheus reads it; what is unknown is left out."""
    return "".join(
        f"# HELP subnet_{name} {ABOUT[name]}\n# TYPE subnet_{name} gauge\nsubnet_{name} {value:.10g}\n"
        for name, value in _figures(standing)
        if value is not None
    )


def _figures(standing: Standing) -> Iterator[tuple[str, float | None]]:
    yield "chain_up", float(standing.up)
    if standing.at:
        yield "chain_age_seconds", time.time() - standing.at
        yield "registered", float(standing.uid is not None)
    for name, value in asdict(standing).items():
        if name in ABOUT:
            yield name, value
