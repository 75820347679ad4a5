"""What the last look saw, in a file that the exporter and the page read."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import drafts
from pipeline.services import records


@dataclass(frozen=True)
class Chain:
    """As the miner's exporter last wrote it down."""

    age_seconds: float
    up: bool
    registered: bool
    burn: float | None


@dataclass(frozen=True)
class Seen:
    at: str
    runtime_up: bool | None  # None where none is expected
    silent_seconds: float | None  # since the last answer
    answers: int  # of the last day, by the bundle that answered last
    drift: float | None
    positives: float | None
    positives_before: float | None
    disk_free: int
    chain: Chain | None
    night_ended: float | None  # seconds since 1970
    night_usd: float


def file() -> Path:
    return records.house() / "var" / "watch.json"


def write(seen: Seen) -> None:
    drafts.write(file(), json.dumps(asdict(seen), indent=1).encode())


def read() -> Seen | None:
    if not file().exists():
        return None
    told: dict[str, Any] = json.loads(file().read_text())
    chain = Chain(**told["chain"]) if told["chain"] else None
    return Seen(**told | {"chain": chain})
