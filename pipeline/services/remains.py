"""Ends services, with everything they started, whatever was killed before.

Descendants are found through the session that the service led, or, when they left it, through the mark in the
environment they inherited. Nothing that was killed has to cooperate.
"""

import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from pipeline.services import records
from pipeline.services.records import Record

MARK = "RETRAIN_HOUSE"


def stop(*names: str, grace: float = 30) -> list[str]:
    """Names what was alive. SIGTERM to each leader alone, then SIGKILL to whatever is left.

    The leader looks after its children: Airflow's scheduler hangs when they are terminated with it.
    """
    living = [record for name in names if (record := records.running(name))]
    descendants = [child for record in living for child in _descendants(record)]
    for record in living:
        with suppress(ProcessLookupError):
            os.kill(record.pid, signal.SIGTERM)
    _await_end(living, grace)
    _kill([process for name in names for process in _session(name)] + descendants)
    for name in names:
        records.forget(name)
    return [record.name for record in living]


def sweep() -> list[int]:
    """Kills what bears this house's mark but belongs to no running service: orphans of something killed."""
    mark, spared = str(records.house()), _spared()
    strays = [
        process for process in psutil.process_iter() if process.pid not in spared and _marked(process, mark)
    ]
    _kill(strays)
    return [process.pid for process in strays]


def _spared() -> set[int]:
    """Every running service with its descendants, and we ourselves with whoever called us."""
    living = [record for name in records.names() if (record := records.running(name))]
    callers = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    theirs = {child.pid for record in living for child in _descendants(record)}
    return callers | theirs | {record.pid for record in living}


def _marked(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except psutil.Error:
        return False


def _descendants(record: Record) -> list[psutil.Process]:
    try:
        return psutil.Process(record.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _session(name: str) -> list[psutil.Process]:
    """What lives in the session of a recorded service, its leader included.

    A pid is given away again only once no session bears it: if a stranger has it, nothing is left of ours.
    """
    record = records.known(name)
    if record is None or records.birth(record.pid) not in (None, record.birth):
        return []
    return [process for process in psutil.process_iter() if _session_of(process.pid) == record.pid]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid) if records.birth(pid) else None
    except (ProcessLookupError, PermissionError):
        return None


def _await_end(living: list[Record], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while any(_ends_not(record) for record in living) and time.monotonic() < deadline:
        time.sleep(0.05)


def _ends_not(record: Record) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(record.pid, os.WNOHANG)  # ours, if this process started it: a zombie until it is asked
    return records.alive(record)


def _kill(processes: Iterable[psutil.Process]) -> None:
    doomed = list(processes)
    for process in doomed:
        with suppress(psutil.NoSuchProcess):
            process.kill()  # psutil makes sure that it is still the process it was
    deadline = time.monotonic() + 5
    while any(_stands(process) for process in doomed) and time.monotonic() < deadline:
        time.sleep(0.02)


def _stands(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
