"""Every run of a stage: a line when it begins and a line when it ends, so that a killed one is seen, too."""

import json
import os
import resource
import secrets
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline import lines
from pipeline.progress import say

OK, REFUSED, FAILED, UNFINISHED = "ok", "refused", "failed", "unfinished"
PAINTERS = "synthesize"


@dataclass(frozen=True)
class Run:
    """Of one that did not end, all but the beginning is unknown and said to be nothing."""

    id: str
    stage: str
    night: str
    began: str
    outcome: str = UNFINISHED
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    gpu_seconds: float = 0.0
    bytes: int = 0
    peak_bytes: int = 0
    painters_usd: float = 0.0
    came: dict[str, Any] = field(default_factory=dict)

    @property
    def ended(self) -> float:
        """Seconds since 1970."""
        return datetime.fromisoformat(self.began).timestamp() + self.seconds


def place() -> Path:
    return Path(os.environ.get("RUNS", "var/runs.jsonl"))


def all_of(file: Path) -> list[Run]:
    """In the order in which they began."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines.read(file):
        found.setdefault(str(line["id"]), {}).update(line)
    return [Run(**one) for one in found.values() if "stage" in one]


@contextmanager
def booked(stage: str, out: Path) -> Iterator[None]:
    """Books the run that the block is; its outcome is what the block ends with."""
    began, worked, paid = time.monotonic(), _cpu_seconds(), _painters_usd(stage)
    number, now = secrets.token_hex(6), datetime.now(UTC)
    _tell({"id": number, "stage": stage, "night": _night(now), "began": f"{now:%Y-%m-%dT%H:%M:%SZ}"})
    outcome = FAILED
    try:
        yield
        outcome = OK
    except Fixable:
        outcome = REFUSED
        raise
    finally:
        seconds = time.monotonic() - began
        taken = {
            "outcome": outcome,
            "seconds": round(seconds, 3),
            "cpu_seconds": round(_cpu_seconds() - worked, 3),
            "gpu_seconds": round(seconds, 3) if _holds_gpu() else 0.0,
            "peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
            "painters_usd": round(_painters_usd(stage) - paid, 6),
        }
        kept = {"bytes": size(out), "came": _came(out)} if outcome == OK else {}
        _tell({"id": number} | taken | kept)


def size(folder: Path) -> int:
    return sum(file.lstat().st_size for file in folder.rglob("*") if file.is_file())


def _tell(entry: dict[str, Any]) -> None:
    """Never raises: what cannot be booked has happened all the same."""
    try:
        lines.append(place(), entry)
    except OSError as error:
        say(f"{place()}: not booked ({error.strerror})")


def _night(now: datetime) -> str:
    """Runs of one night have one name: the moment up to which it reads, else the day."""
    return os.environ.get("UNTIL") or f"{now:%Y-%m-%d}"


def _came(out: Path) -> dict[str, Any]:
    file = out / "summary.json"
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def _cpu_seconds() -> float:
    """Not by `os.times`, which counts in hundredths."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def _holds_gpu() -> bool:
    torch = sys.modules.get("torch")
    return bool(torch and torch.cuda.is_initialized())


def _painters_usd(stage: str) -> float:
    """What painters were ever paid; their books are opened by the stage that pays, for reading here."""
    books = Path(os.environ.get("PAINTINGS", "var/paintings.sqlite"))
    if stage != PAINTERS or not books.is_file():
        return 0.0
    with closing(sqlite3.connect(f"file:{books}?mode=ro", uri=True, timeout=60)) as opened:
        try:
            return float(opened.execute("SELECT coalesce(sum(usd), 0) FROM asked").fetchone()[0])
        except sqlite3.OperationalError:  # opened, and no table yet
            return 0.0
