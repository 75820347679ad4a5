"""Killed at random moments, and the database with it, FiftyOne ends with what an undisturbed run shows.

The suite tries a few moments; KILLS=50 in the environment tries fifty.
"""

import hashlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.services import mongo

sys.path.insert(0, str(Path(__file__).parent))
from forks import Forks

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("KILLS", "4"))
MONGOD_TOO = 4  # every so many kills it is the database that dies
ROWS = 2500

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(60 + 30 * KILLS),
    pytest.mark.skipif(not (ROOT / ".mongod").exists(), reason="no mongod; run `make setup`"),
]


class Database:
    """A mongod of our own on a folder, to be killed and started again."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self._command = [
            str(ROOT / ".mongod/fiftyone/db/bin/mongod"),
            *("--dbpath", str(folder), "--bind_ip", "127.0.0.1", "--port", str(self.port)),
            *("--nounixsocket", "--wiredTigerCacheSizeGB", "0.5", "--quiet"),
        ]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.DEVNULL)
        while True:
            with socket.socket() as door:
                if door.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def content(self, dataset: str) -> tuple[int, str]:
        """Count and hash of all that a person could see."""
        import pymongo

        with pymongo.MongoClient("127.0.0.1", self.port) as client:
            database = client["retrain72"]
            [known] = database["datasets"].find({"name": dataset})
            rows = list(database[known["sample_collection_name"]].find())
        seen = sorted(json.dumps(visible(row), sort_keys=True, default=str) for row in rows)
        return len(rows), hashlib.sha256("\n".join(seen).encode()).hexdigest()


def visible(row: dict[str, Any]) -> dict[str, Any]:
    """All but what FiftyOne draws anew for every sample: ids and its own times."""
    hidden = {"_id", "_dataset_id", "_rand", "created_at", "last_modified_at", "_media_type"}
    return {
        key: visible(value) if isinstance(value, dict) else value
        for key, value in row.items()
        if key not in hidden
    }


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "mongo").mkdir()
    started = Database(tmp_path / "mongo")
    yield started
    started.kill()


@pytest.fixture
def forks(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Forks]:
    monkeypatch.setenv("RETRAIN_HOME", str(tmp_path))
    uri = f"mongodb://127.0.0.1:{database.port}"
    # FiftyOne is imported once and connects; a child makes connections of its own.
    started = Forks("fiftyone", "upserts", IMAGES="images", **mongo.fiftyone(uri))
    yield started
    started.stop()


def test_killed_at_random_moments(database: Database, forks: Forks, tmp_path: Path) -> None:
    seconds = forks.run(tmp_path, fill("undisturbed"))
    expected = database.content("undisturbed")
    assert expected[0] == ROWS
    for number in range(KILLS):
        moment = random.uniform(0, seconds)
        name = f"killed {number}"
        if number % MONGOD_TOO == MONGOD_TOO - 1:
            forks.ask(tmp_path, fill(name))
            time.sleep(moment)
            database.kill()
            database.start()
            forks.heard()
        else:
            forks.run(tmp_path, fill(name), kill_after=moment)
        forks.run(tmp_path, fill(name))
        assert database.content(name) == expected, f"killed at {moment:.2f} s of {seconds:.2f} s"


def fill(dataset: str) -> str:
    return f"import upserts; upserts.fill({dataset!r}, {ROWS})"
