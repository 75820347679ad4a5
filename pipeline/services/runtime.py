"""The runtime that serves the champion: started here, and told over HTTP to serve another."""

import json
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline.services import records, supervise
from pipeline.services.records import Record
from pipeline.services.supervise import Service

NAME = "runtime"
PORT = 8072


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


def swap(bundle: Path) -> dict[str, Any]:
    """The running one serves this bundle from now on, without a restart; a bad bundle changes nothing."""
    at = url()
    if at is None:
        raise Fixable("var/services/runtime.json: no runtime is up; `make up` starts one")
    return _asked(f"{at}/admin/bundles", {"path": str(bundle.resolve())}, token=_token())


def journal() -> Path:
    return records.house() / "var" / "journal"


def _service(bundle: Path) -> Service:
    port = supervise.free_port(NAME, PORT)
    return Service(
        name=NAME,
        command=[
            *(sys.executable, "-m", "inference_runtime", "serve"),
            *("--bundle", str(bundle.resolve()), "--journal", str(journal())),
            *("--host", "127.0.0.1", "--port", str(port)),
        ],
        port=port,
        url=f"http://127.0.0.1:{port}",
        ready=_is_ready,
        environment={"RUNTIME_ADMIN_TOKEN": _token()},
    )


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
        raise Fixable(f"{url}: no runtime answers ({error.reason}); `make status` tells what is up") from None
