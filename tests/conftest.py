"""A folder to be at home in, for no test writes into the checkout, and a real S3 server."""

import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# A machine that stands still for a moment has found no fault, and a fault is found by everybody who looks.
settings.register_profile("house", deadline=None, derandomize=True)
settings.load_profile("house")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, with the content-addressed pictures inside it."""
    for name in (
        "UNTIL",
        "IMAGES",
        "FEATURES",
        "PAINTINGS",
        "PULLED",
        "KIN",
        "GOLD",
        "FACTS",
        "FIFTYONE_DATABASE_URI",
        "RETRAIN_HOME",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server, a process of its own."""
    log = tmp_path_factory.mktemp("moto") / "log"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"]
    with log.open("w") as said:
        process = subprocess.Popen(command, stderr=said, stdout=said)
    while not (found := re.search(r"http://127\.0\.0\.1:\d+", log.read_text())):
        assert process.poll() is None, log.read_text()
        time.sleep(0.05)
    yield found[0]
    process.kill()
    process.wait(timeout=10)


@pytest.fixture
def s3_server(moto: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """An S3 server without a bucket, which the environment leads to."""
    for name, value in (
        ("AWS_ENDPOINT_URL", moto),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    urllib.request.urlopen(urllib.request.Request(f"{moto}/moto-api/reset", method="POST")).close()
    return moto
