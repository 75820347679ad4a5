"""The deployment files, as far as that goes without containers: parsed, and nginx before real replicas."""

import json
import re
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from inference_runtime.__main__ import _parser

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "inference_runtime" / "deploy"
NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
INSTRUCTIONS = [
    "FROM",
    "ARG",
    "RUN",
    "WORKDIR",
    "COPY",
    "ENV",
    "USER",
    "VOLUME",
    "EXPOSE",
    "HEALTHCHECK",
    "STOPSIGNAL",
    "ENTRYPOINT",
    "CMD",
]

needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not here; apt-get install nginx")


def instructions() -> list[tuple[str, str]]:
    lines = (DEPLOY / "Containerfile").read_text().splitlines()
    return [(line.partition(" ")[0], line.partition(" ")[2]) for line in lines if line and line[0] != "#"]


def test_the_container_file_copies_what_is_there_and_starts_what_exists() -> None:
    said = instructions()
    assert {name for name, _ in said} <= set(INSTRUCTIONS)
    for name, rest in said:
        if name == "COPY" and "--from" not in rest:
            *sources, _ = rest.split()
            assert all((ROOT / source).exists() for source in sources), rest
    last = dict(said)
    assert json.loads(last["ENTRYPOINT"]) == ["python", "-m", "inference_runtime"]
    given = _parser().parse_args(json.loads(last["CMD"]))
    assert (given.command, given.port, last["EXPOSE"]) == ("serve", 8072, "8072")
    assert json.loads(last["HEALTHCHECK"].partition("CMD ")[2])[0] == "python"
    assert last["USER"] != "root"


def test_each_replica_has_a_journal_and_a_ship_of_its_own() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    replicas = [name for name in services if name.startswith("replica-")]
    journals = [services[name]["volumes"][1] for name in replicas]
    assert len(set(journals)) == len(replicas) == 2
    assert [services[name.replace("replica", "ship")]["volumes"][0] for name in replicas] == journals
    given = _parser().parse_args(services["ship-1"]["command"])
    assert (given.command, given.follow, str(given.journal)) == ("ship", True, "/journal")
    known = set(re.findall(r"server ([a-z0-9-]+):8072", (DEPLOY / "nginx.conf").read_text()))
    assert known == set(replicas)


@pytest.fixture
def front(tmp_path: Path) -> Any:
    """Starts nginx before servers on these ports; its own port."""
    started: list[subprocess.Popen[bytes]] = []

    def run(ports: list[int]) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            mine = int(probe.getsockname()[1])
        text = (DEPLOY / "nginx.conf").read_text().replace("/tmp/nginx", str(tmp_path / "nginx"))
        for number, port in enumerate(ports, 1):
            text = text.replace(f"replica-{number}:8072", f"127.0.0.1:{port}")
        file = tmp_path / "nginx.conf"
        file.write_text(text.replace("listen 8072;", f"listen 127.0.0.1:{mine};"))
        command = [str(NGINX), "-c", str(file), "-p", str(tmp_path), "-e", str(tmp_path / "error.log")]
        tried = subprocess.run([*command, "-t"], capture_output=True, text=True)
        assert tried.returncode == 0 and "[warn]" not in tried.stderr, tried.stderr
        started.append(subprocess.Popen([*command, "-g", "daemon off;"]))
        return mine

    yield run
    for process in started:
        process.terminate()
        process.wait(timeout=20)


@needs_nginx
def test_a_replica_that_is_killed_costs_nobody_an_answer(
    start: Callable[..., Any], make_bundle: Callable[..., Any], make_picture: Callable[..., bytes], front: Any
) -> None:
    bundle = make_bundle()
    one, other = start(bundle), start(bundle)
    port = front([one.port, other.port])
    wait_for(f"http://127.0.0.1:{port}/readyz")
    pids = {asked(f"http://127.0.0.1:{port}/v1/models")["pid"] for _ in range(10)}
    assert pids == {one.process.pid, other.process.pid}
    for n in range(30):
        if n == 10:
            one.process.kill()
        data = make_picture(seed=n)
        assert asked(f"http://127.0.0.1:{port}/v1/predict", data)["p"] == other.predict(data)[1]["p"]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        asked(f"http://127.0.0.1:{port}/admin/bundles")


def asked(url: str, data: bytes | None = None) -> Any:
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=20) as answer:
        return json.load(answer)


def wait_for(url: str) -> None:
    until = time.monotonic() + 20
    while True:
        try:
            asked(url)
            return
        except OSError:
            assert time.monotonic() < until
            time.sleep(0.05)
