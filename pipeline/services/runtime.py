"""The runtime that serves the champion: started here, and told over HTTP to serve another."""

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_runtime.errors import Away, Fixable
from pipeline.services import records, supervise
from pipeline.services.records import Record
from pipeline.services.supervise import Service

if TYPE_CHECKING:
    from inference_runtime.roles import Role, Trial

NAME = "runtime"
PORT = 8072
ADMIN_PORT = 8073


def launch(champion: Callable[[], Path]) -> Service:
    """Started, not ready yet. The champion is asked for only if none is up; one that is can be swapped."""
    service = _service(Path() if records.running(NAME) else champion())
    supervise.launch(service)
    return service


def start(champion: Callable[[], Path]) -> Record:
    service = launch(champion)
    supervise.wait([service])
    record = records.running(NAME)
    assert record
    return record


def url() -> str | None:
    """RUNTIME_URL, or where the one of this house is; None when it is down."""
    if named := os.environ.get("RUNTIME_URL"):
        return named.rstrip("/")
    record = records.running(NAME)
    return record.url if record else None


def models() -> dict[str, Any] | None:
    """What is served now; None when no runtime is up."""
    at = url()
    return None if at is None else _asked(f"{at}/v1/models")


def admin_url() -> str:
    """RUNTIME_ADMIN_URL, or where the one of this house takes orders."""
    if named := os.environ.get("RUNTIME_ADMIN_URL"):
        return named.rstrip("/")
    if "RUNTIME_URL" in os.environ:
        raise Fixable(
            "RUNTIME_ADMIN_URL: not set, but RUNTIME_URL is; name the admin address of that runtime"
        )
    record = records.running(NAME)
    if record is None or record.admin is None:
        raise Fixable("var/services/runtime.json: no runtime is up; `make up` starts one")
    return record.admin


def swap(bundle: Path) -> dict[str, Any]:
    """The running one serves this bundle from now on, without a restart; a bad bundle changes nothing."""
    return place(bundle, "serve")


def place(bundle: Path, role: "Role", share: float = 0.1) -> dict[str, Any]:
    return _told("bundles", {"path": str(bundle.resolve()), "role": role, "share": share})


def promote(bundle: str) -> dict[str, Any]:
    """Shadow or canary serves from now on."""
    return _told("promote", {"bundle": bundle})


def rollback() -> dict[str, Any]:
    """What served before serves again, at once."""
    return _told("rollback", {})


def end(role: "Trial") -> dict[str, Any]:
    return _told("end", {"role": role})


def roles() -> dict[str, Any]:
    """The bundles that are serving, previous, shadow and canary now."""
    return _told("bundles")


def comparison() -> dict[str, Any]:
    """What shadow or canary answered, beside what the serving bundle did."""
    return _told("comparison")


def _told(route: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return _asked(f"{admin_url()}/admin/{route}", body, token=_token())


def journal() -> Path:
    return records.house() / "var" / "journal"


def _service(bundle: Path) -> Service:
    port, admin = supervise.free_port(NAME, PORT), _admin_port()
    return Service(
        name=NAME,
        command=[
            *(sys.executable, "-m", "inference_runtime", "serve"),
            *("--bundle", str(bundle.resolve()), "--journal", str(journal())),
            *("--host", "127.0.0.1", "--port", str(port), "--admin-port", str(admin)),
        ],
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=_is_ready,
        environment={"RUNTIME_ADMIN_TOKEN": _token()},
        admin=f"http://127.0.0.1:{admin}",
    )


def _admin_port() -> int:
    record = records.running(NAME)
    if record and record.admin:
        return int(record.admin.rpartition(":")[2])
    return supervise.free_port(f"{NAME}-admin", ADMIN_PORT)


def _is_ready(record: Record) -> bool:
    if not supervise.listens(record):
        return False
    try:
        with urllib.request.urlopen(f"{record.url}/readyz", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _token() -> str:
    """Made once per house; only its owner can read it."""
    if named := os.environ.get("RUNTIME_ADMIN_TOKEN"):
        return named
    file = records.services() / "token"
    records.services().mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return file.read_text()
    with os.fdopen(descriptor, "w") as opened:
        opened.write(secrets.token_urlsafe(32))
    return file.read_text()


def _asked(url: str, body: Mapping[str, Any] | None = None, token: str = "") -> dict[str, Any]:
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=120) as answer:
            return dict(json.load(answer))
    except urllib.error.HTTPError as error:
        said = " ".join(error.read().decode(errors="replace").split())[:300]
        raise Fixable(f"{url}: the runtime answered {error.code}: {said}") from None
    except urllib.error.URLError as error:
        raise Away(f"{url}: no runtime answers ({error.reason}); `make status` tells what is up") from None
