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


class Upserts:
    def __init__(self, database: Database, home: Path) -> None:
        uri = f"mongodb://127.0.0.1:{database.port}"
        self.process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("upserts.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "FIFTYONE_DATABASE_URI": uri, "RETRAIN_HOME": str(home), "IMAGES": "images"},
            text=True,
        )
        assert self._heard() == {"ready": True}

    def ask(self, dataset: str, kill_after: float | None = None) -> None:
        assert self.process.stdin
        asked = {"dataset": dataset, "rows": ROWS, "kill_after": kill_after}
        print(json.dumps(asked), file=self.process.stdin, flush=True)

    def run(self, dataset: str, kill_after: float | None = None) -> dict[str, Any]:
        self.ask(dataset, kill_after)
        return self._heard()

    def _heard(self) -> dict[str, Any]:
        assert self.process.stdout
        return dict(json.loads(self.process.stdout.readline()))

    def heard(self) -> dict[str, Any]:
        return self._heard()

    def stop(self) -> None:
        self.process.communicate(timeout=20)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    (tmp_path / "mongo").mkdir()
    started = Database(tmp_path / "mongo")
    yield started
    started.kill()


@pytest.fixture
def upserts(database: Database, tmp_path: Path) -> Iterator[Upserts]:
    (tmp_path / "dvc.yaml").write_text("stages: {}")
    started = Upserts(database, tmp_path)
    yield started
    started.stop()


def test_killed_at_random_moments(database: Database, upserts: Upserts) -> None:
    whole = upserts.run("undisturbed")
    assert whole["code"] == 0
    expected = database.content("undisturbed")
    assert expected[0] == ROWS
    for number in range(KILLS):
        moment = random.uniform(0, whole["seconds"])
        name = f"killed {number}"
        if number % MONGOD_TOO == MONGOD_TOO - 1:
            upserts.ask(name)
            time.sleep(moment)
            database.kill()
            database.start()
            upserts.heard()
        else:
            assert upserts.run(name, kill_after=moment)["code"] in (0, -signal.SIGKILL)
        again = upserts.run(name)
        assert again["code"] == 0, f"after a kill at {moment:.2f} s"
        assert database.content(name) == expected, f"killed at {moment:.2f} s of {whole['seconds']:.2f} s"
