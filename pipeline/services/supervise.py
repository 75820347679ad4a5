"""Starts processes that outlive the command that started them, and waits until they are ready.

A service leads a session of its own and writes its own record before it becomes its program: there is no
moment at which it runs unknown, so a killed `up` leaves nothing that `down` would not find.
"""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import psutil

from inference_runtime.errors import Fixable
from pipeline.services import records, remains
from pipeline.services.records import Record


@dataclass(frozen=True)
class Service:
    """What it takes to start one, and to know that it is ready."""

    name: str
    command: Sequence[str]
    port: int
    url: str
    ready: Callable[[Record], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    patience: float = 120  # seconds until it must be ready
    kept: bool = True
    admin: str | None = None


def start(service: Service) -> Record:
    """The one that runs, or a new one; ready."""
    record = launch(service)
    wait([service])
    return record


def launch(service: Service) -> Record:
    """The one that runs, or a new one that is not ready yet."""
    if record := records.running(service.name):
        return record
    remains.stop(service.name)  # what a killed one left of its session
    records.services().mkdir(parents=True, exist_ok=True)
    with records.log_of(service.name).open("wb") as log:
        subprocess.Popen(
            service.command,
            cwd=records.house(),
            env={**os.environ, **service.environment, remains.MARK: str(records.house())},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=lambda: _introduce(service),
        )
    record = records.known(service.name)
    assert record, service.name
    return record


def _introduce(service: Service) -> None:
    """Runs in the child, between fork and exec: whoever is killed now, the record is there."""
    pid = os.getpid()
    now = datetime.now(UTC).isoformat()
    born = str(records.birth(pid))
    records.remember(
        Record(service.name, pid, born, service.port, service.url, now, service.kept, service.admin)
    )


def wait(services: Iterable[Service]) -> None:
    """Until all are ready. One that ends before, or takes too long, is an error with the end of its log."""
    began = spoken = time.monotonic()
    waiting = list(services)
    while waiting := [service for service in waiting if not _settled(service, began)]:
        time.sleep(0.1)
        if time.monotonic() - spoken > 5:
            spoken = time.monotonic()
            names = ", ".join(service.name for service in waiting)
            print(f"waiting for {names} ({spoken - began:.0f} s)", file=sys.stderr, flush=True)


def _settled(service: Service, began: float) -> bool:
    record = records.running(service.name)
    if record is None:
        raise Fixable(_trouble(service.name, "ended while starting"))
    if service.ready(record):
        return True
    if time.monotonic() - began > service.patience:
        raise Fixable(_trouble(service.name, f"not ready after {service.patience:.0f} s"))
    return False


def _trouble(name: str, what: str) -> str:
    log = records.log_of(name)
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    last = next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")
    return f"{log}: {name} {what}: {last}"


def free_port(name: str, preferred: int) -> int:
    """Where the service is, or was if that is still free; else the preferred port; else any."""
    record = records.known(name)
    if record and records.alive(record):
        return record.port
    for port in (record.port if record else preferred, preferred):
        if _is_free(port):
            return port
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _is_free(port: int) -> bool:
    try:
        # With SO_REUSEADDR, as the services do: a connection in TIME_WAIT occupies nothing.
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False


def listens(record: Record) -> bool:
    """It is this service that has its port, and not one of another house that was quicker."""
    try:
        sockets = psutil.Process(record.pid).net_connections(kind="tcp")
    except psutil.Error:
        return False
    return any(one.status == psutil.CONN_LISTEN and one.laddr.port == record.port for one in sockets)
