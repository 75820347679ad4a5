"""What is known of the services of this checkout: one JSON file each under var/services/."""

import fcntl
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

from inference_runtime.errors import Fixable
from pipeline import drafts


@dataclass(frozen=True)
class Record:
    """A service that was started, and may live or not."""

    name: str
    pid: int
    birth: str
    port: int
    url: str
    started: str
    kept: bool = True  # until `down`; else its last user stops it
    admin: str | None = None  # where it takes orders, if elsewhere


def house() -> Path:
    """The checkout: RETRAIN_HOME, or the nearest folder upwards that holds dvc.yaml."""
    if named := os.environ.get("RETRAIN_HOME"):
        return Path(named).resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "dvc.yaml").is_file():
            return folder
    raise Fixable(
        f"dvc.yaml: not found in {here} or above it; go into the repository, or set RETRAIN_HOME to it"
    )


def services() -> Path:
    return house() / "var" / "services"


def log_of(name: str) -> Path:
    return services() / f"{name}.log"


def names() -> list[str]:
    return sorted(file.stem for file in services().glob("*.json"))


def known(name: str) -> Record | None:
    try:
        return Record(**json.loads((services() / f"{name}.json").read_bytes()))
    except FileNotFoundError:
        return None


def running(name: str) -> Record | None:
    record = known(name)
    return record if record and alive(record) else None


def alive(record: Record) -> bool:
    return birth(record.pid) == record.birth


def remember(record: Record) -> None:
    drafts.write(services() / f"{record.name}.json", json.dumps(asdict(record), indent=1).encode())


def forget(name: str) -> None:
    (services() / f"{name}.json").unlink(missing_ok=True)


def birth(pid: int) -> str | None:
    """A mark that no other process under this pid ever has; None when none lives there, zombies not counted.

    On Linux in ticks since boot: the time of day of a birth moves whenever the clock is set.
    """
    try:
        if sys.platform != "linux":
            return f"{psutil.Process(pid).create_time():.2f}"
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError, psutil.NoSuchProcess):
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text()[:8]
    return None if fields[0] in "ZX" else f"{fields[19]}@{boot}"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time. A lock dies with its holder."""
    services().mkdir(parents=True, exist_ok=True)
    with (services() / f"{name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
