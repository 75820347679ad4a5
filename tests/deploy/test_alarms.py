"""Real Prometheus and Alertmanager, with the shipped rules, routes and receivers, tell a local address.

Only places, waiting times and addresses differ from what is shipped, and they are changed by the test itself.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from listening import Listening, Speaker

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = {name: shutil.which(name) for name in ("prometheus", "prometheus-alertmanager", "amtool")}

needs_tools = pytest.mark.skipif(
    None in TOOLS.values(), reason="apt-get install -y prometheus prometheus-alertmanager"
)


def alertmanager(secrets: Path) -> dict[str, Any]:
    """The shipped configuration with its secrets in another folder."""
    text = (DEPLOY / "alertmanager" / "alertmanager.yml").read_text()
    loaded: dict[str, Any] = yaml.safe_load(text.replace("/run/secrets", str(secrets)))
    if not _knows_token_files():
        for one in _telegrams(loaded):
            one["bot_token"] = Path(one.pop("bot_token_file")).read_text()
    return loaded


def _knows_token_files() -> bool:
    """Debian 12 has 0.25, which knows all of it but `bot_token_file`."""
    said = subprocess.run([str(TOOLS["amtool"]), "--version"], capture_output=True, text=True)
    version = re.search(r"version (\d+)\.(\d+)", said.stdout + said.stderr)
    return bool(version) and (int(version[1]), int(version[2])) >= (0, 26)  # type: ignore[index]


def _telegrams(loaded: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for receiver in loaded["receivers"]:
        yield from receiver.get("telegram_configs", [])


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name in ("smtp_password", "telegram_token"):
        (folder / name).write_text("word")
    (folder / "slack_url").write_text("http://127.0.0.1:9/slack")
    return folder


@needs_tools
def test_amtool_accepts_the_configuration(secrets: Path, tmp_path: Path) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(alertmanager(secrets)))
    done = subprocess.run([str(TOOLS["amtool"]), "check-config", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_tools
@pytest.mark.parametrize(("severity", "receiver"), [("page", "page"), ("warn", "warn"), ("other", "warn")])
def test_each_severity_finds_its_receiver(
    secrets: Path, tmp_path: Path, severity: str, receiver: str
) -> None:
    file = tmp_path / "alertmanager.yml"
    file.write_text(yaml.safe_dump(alertmanager(secrets)))
    command = [str(TOOLS["amtool"]), "config", "routes", "test", "--config.file", str(file)]
    done = subprocess.run([*command, f"severity={severity}"], capture_output=True, text=True)
    assert done.stdout.strip() == receiver


def test_no_secret_is_written_down_and_all_are_mounted() -> None:
    loaded = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    named = set(re.findall(r"/run/secrets/(\w+)", yaml.safe_dump(loaded)))
    compose = yaml.safe_load((ROOT / "docker-compose.yaml").read_text())
    assert named == set(compose["services"]["alertmanager"]["secrets"])
    keys = [key for one in _telegrams(loaded) for key in one] + list(loaded["global"])
    assert not {"bot_token", "smtp_auth_password", "slack_api_url"} & set(keys)


class Heard(Listening):
    """A local address that keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__(Answer)
        self.posts: list[tuple[str, str]] = []

    def has(self, place: str, *words: str) -> bool:
        return any(place in path and all(word in body for word in words) for path, body in self.posts)


class Answer(Speaker):
    server: Heard

    def do_POST(self) -> None:
        self.server.posts.append((self.path, urllib.parse.unquote_plus(self.body().decode())))
        said = {"ok": True, "result": {"message_id": 1, "date": 1, "chat": {"id": 1}}}
        self.say(200, said if "bot" in self.path else b"ok")


@pytest.fixture
def heard() -> Iterator[Heard]:
    with Heard() as one:
        yield one


Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts a process that ends with the test."""
    started: list[subprocess.Popen[str]] = []

    def run(*command: object, cwd: Path, **streams: Any) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        words = [str(word) for word in command]
        started.append(subprocess.Popen(words, cwd=cwd, env=environment, text=True, **streams))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait(timeout=20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@needs_tools
@pytest.mark.slow
def test_a_miner_that_dies_and_an_old_model_are_told(
    tmp_path: Path, home: Path, secrets: Path, heard: Heard, start: Start
) -> None:
    miner, miner_port = _miner(start, home)
    pipeline_port = _pipeline_with_an_old_champion(start, home)
    alarms = _start_alertmanager(start, tmp_path, secrets, heard)
    asked = _start_prometheus(start, tmp_path, alarms, {"miner": miner_port, "pipeline": pipeline_port})
    _until(lambda: _is_up(asked, "miner") and _is_up(asked, "pipeline"))
    miner.kill()
    for place in ("/slack", "/botword/sendMessage"):
        _until(lambda place=place: heard.has(place, f"The miner at 127.0.0.1:{miner_port} does not answer"))
        _until(lambda place=place: heard.has(place, "The champion is 100 days old and will soon earn less"))
    assert not any("ModelAging" in body for _, body in heard.posts), "the older alarm inhibits it"


def _miner(start: Start, home: Path) -> tuple[subprocess.Popen[str], int]:
    words = ("--metrics", "--offline", "--address", "ours", "--metrics-port", 0)
    process = start(
        sys.executable, "-m", "inference_runtime", "miner", *words, cwd=home, stderr=subprocess.PIPE
    )
    return process, _port(process)


def _pipeline_with_an_old_champion(start: Start, home: Path) -> int:
    shutil.copy(ROOT / "params.yaml", home)
    (home / "dvc.yaml").touch()
    at = (datetime.now(UTC) - timedelta(days=100)).isoformat()
    release = {"version": "1.0.0", "bundle": "b" * 16, "beat": None, "at": at, "card": {}}
    (home / "var/hub/releases").mkdir(parents=True)
    (home / "var/hub/releases/00000-1.0.0.json").write_text(json.dumps(release))
    words = ("metrics", "--port", 0)
    return _port(start(sys.executable, "-m", "pipeline", *words, cwd=home, stderr=subprocess.PIPE))


def _port(process: subprocess.Popen[str]) -> int:
    assert process.stderr
    found = re.search(r"http://127.0.0.1:(\d+)/metrics", process.stderr.readline())
    assert found
    return int(found[1])


def _start_alertmanager(start: Start, place: Path, secrets: Path, heard: Heard) -> int:
    (secrets / "slack_url").write_text(f"{heard.url}/slack")
    told, port = alertmanager(secrets), free_port()
    told["global"] |= {"telegram_api_url": heard.url, "smtp_smarthost": "127.0.0.1:9"}
    for route in (told["route"], *told["route"]["routes"]):
        route |= {"group_wait": "1s", "group_interval": "1s"}
    (place / "alertmanager.yml").write_text(yaml.safe_dump(told))
    flags = {
        "config.file": "alertmanager.yml",
        "storage.path": "alertmanager",
        "web.listen-address": f"127.0.0.1:{port}",
        "cluster.listen-address": "",
    }
    words = [f"--{flag}={value}" for flag, value in flags.items()]
    with (place / "alertmanager.log").open("w") as log:
        start(TOOLS["prometheus-alertmanager"], *words, cwd=place, stdout=log, stderr=log)
    return port


def _start_prometheus(start: Start, place: Path, alarms: int, ports: dict[str, int]) -> str:
    folder = place / "prometheus"
    shutil.copytree(DEPLOY / "prometheus", folder)
    told = yaml.safe_load((folder / "prometheus.yml").read_text())
    told["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    told["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [f"127.0.0.1:{alarms}"]}]}]
    told["scrape_configs"] = [
        {
            "job_name": job["job_name"],
            "static_configs": [{"targets": [f"127.0.0.1:{ports[job['job_name']]}"]}],
        }
        for job in told["scrape_configs"]
        if job["job_name"] in ports
    ]
    assert len(told["scrape_configs"]) == len(ports)
    (folder / "prometheus.yml").write_text(yaml.safe_dump(told))
    for file in (folder / "rules").glob("*.yml"):
        file.write_text(re.sub(r"(?m)^(\s+for:) \w+", r"\1 1s", file.read_text()))
    port = free_port()
    words = [
        f"--web.listen-address=127.0.0.1:{port}",
        "--config.file=prometheus.yml",
        "--storage.tsdb.path=data",
    ]
    with (place / "prometheus.log").open("w") as log:
        start(TOOLS["prometheus"], *words, cwd=folder, stdout=log, stderr=log)
    return f"http://127.0.0.1:{port}"


def _is_up(prometheus: str, job: str) -> bool:
    query = urllib.parse.urlencode({"query": f'up{{job="{job}"}}'})
    try:
        with urllib.request.urlopen(f"{prometheus}/api/v1/query?{query}", timeout=5) as answer:
            found = json.load(answer)["data"]["result"]
    except OSError:
        return False
    return bool(found) and found[0]["value"][1] == "1"


def _until(holds: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.2)
