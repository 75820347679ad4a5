"""What was done to the fleet, a line each, never changed; and what the roll-out under way must remember."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipeline import drafts, lines
from pipeline.progress import say
from pipeline.rollout.looks import Looks
from pipeline.services import records

TAKEN_BACK = "taken back"


@dataclass(frozen=True)
class State:
    """Of one roll-out. The runtime knows who has which role; this is what it cannot know."""

    bundle: str
    looks: Looks = field(default_factory=Looks)
    answers: int = 0  # that the phase had seen
    changed: float = 0.0  # when that was last more than before
    watched: bool = False


class Busy(Exception):
    """Another process drives the roll-out."""


def folder() -> Path:
    return records.house() / "var" / "rollout"


def tell(step: str, bundle: str, version: str, says: str, **evidence: Any) -> None:
    line = {"at": _now(), "step": step, "version": version, "bundle": bundle, "says": says, **evidence}
    lines.append(folder() / "journal.jsonl", line)
    say(f"rollout: {version}: {step}: {says}")


def told() -> list[dict[str, Any]]:
    return lines.read(folder() / "journal.jsonl")


def taken_back() -> dict[str, str]:
    """Bundles that were, each with the reason."""
    return {entry["bundle"]: entry["says"] for entry in told() if entry["step"] == TAKEN_BACK}


def remembered(bundle: str) -> State:
    file = folder() / "state.json"
    found = json.loads(file.read_text()) if file.exists() else {}
    if found.get("bundle") != bundle:
        return State(bundle)
    return State(**found | {"looks": Looks(**found["looks"])})


def remember(state: State) -> None:
    drafts.write(folder() / "state.json", json.dumps(asdict(state)).encode())


@contextmanager
def alone() -> Iterator[None]:
    """One process drives; a lock dies with its holder."""
    folder().mkdir(parents=True, exist_ok=True)
    with (folder() / "lock").open("w") as held:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy from None
        yield


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
