"""Who is on the subnet, as last seen: kept in a file, so that a miner starts and answers without a chain."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from inference_runtime.errors import Fixable
from inference_runtime.segment import sync_folder


@dataclass(frozen=True)
class Neuron:
    uid: int
    stake: float
    permit: bool
    # Of its weights, the share that does not go to the subnet's owner; None where it sets none.
    shared: float | None = None


@dataclass(frozen=True)
class Neurons:
    at: float  # seconds since 1970
    block: int
    by_hotkey: Mapping[str, Neuron]

    @property
    def age(self) -> float:
        return time.time() - self.at


NOBODY = Neurons(0.0, 0, {})


def load(file: Path) -> Neurons:
    """NOBODY where there is no file yet."""
    try:
        found = json.loads(file.read_bytes())
        hotkeys = {key: Neuron(**value) for key, value in found["hotkeys"].items()}
        return Neurons(float(found["at"]), int(found["block"]), hotkeys)
    except FileNotFoundError:
        return NOBODY
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Fixable(f"{file}: is no list of neurons ({error}); remove it, it is fetched again") from error


def save(neurons: Neurons, file: Path) -> None:
    hotkeys = {key: asdict(value) for key, value in neurons.by_hotkey.items()}
    draft = file.with_name(f"{file.name}.draft")
    draft.write_text(json.dumps({"at": neurons.at, "block": neurons.block, "hotkeys": hotkeys}, indent=1))
    draft.rename(file)
    sync_folder(file.parent)
