"""What the night stands on goes away, and comes back."""

import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
import yaml

from inference_runtime.errors import Away, Fixable
from inference_runtime.ship import patience
from pipeline import params, samples, stages
from pipeline.params import Params
from pipeline.services import mongo, remains

ROOT = Path(__file__).parents[3]
ARTIFACTS = Path("artifacts")
BaseSet = Callable[[Path, range], Path]
Journalled = Callable[[Path, range], list[str]]


@pytest.fixture
def house(home: Path, rooms: Path, base_set: BaseSet) -> Callable[..., Params]:
    """A folder with pictures to start from; gives params with these changes."""
    base_set(home / "base", range(30))
    base_set(home / "gold", range(100, 110))
    (home / "journal").mkdir()

    def given(**changes: dict[str, Any]) -> Params:
        values = yaml.safe_load((ROOT / "params.yaml").read_text())
        values["pull"] |= {"base": "base", "gold": "gold", "journal": "journal"}
        values["people"] |= {"dataset": None}
        for section, words in changes.items():
            values[section] |= words
        return params.parse(values)

    return given


def pulled() -> tuple[int, bytes]:
    """How many answers are home, and the bytes of the table."""
    predictions = samples.read(ARTIFACTS / "pull", "predictions.parquet")
    assert predictions["id"].n_unique() == predictions.height
    return predictions.height, (ARTIFACTS / "pull" / samples.FILE).read_bytes()


def nobody() -> int:
    """A port at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def bucket(s3_server: str) -> str:
    boto3.client("s3").create_bucket(Bucket="journals")
    return "s3://journals/miner"


def ship(folder: Path) -> None:
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        key = f"miner/{file.relative_to(folder).as_posix()}"
        boto3.client("s3").put_object(Bucket="journals", Key=key, Body=file.read_bytes())


def test_a_store_that_is_down_keeps_last_night_and_loses_no_answer(
    house: Callable[..., Params], bucket: str, journalled: Journalled, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = house(pull={"journal": bucket})
    journalled(Path("journal"), range(200, 205))
    ship(Path("journal"))
    stages.run("pull", given, ARTIFACTS)
    before = pulled()
    assert before[0] == 5
    journalled(Path("journal"), range(205, 208))
    ship(Path("journal"))
    with monkeypatch.context() as down:
        down.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{nobody()}")
        down.setattr(patience, "FIRST_SECONDS", 0.002)
        down.setattr(patience, "LONGEST_SECONDS", 0.01)
        with pytest.raises(Away, match=r"pull\.journal: s3://journals/miner: .*run it again later$"):
            stages.run("pull", given, ARTIFACTS)
        assert pulled() == before
    stages.run("pull", given, ARTIFACTS)
    assert pulled()[0] == 8


@pytest.mark.skipif(not (ROOT / ".mongod").is_dir(), reason="no embedded MongoDB: run `make setup`")
def test_a_mongod_that_hangs_is_named_and_last_night_stands(
    house: Callable[..., Params], home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages.run("pull", house(), ARTIFACTS)
    before = pulled()
    monkeypatch.setenv("RETRAIN_HOME", str(home))
    (home / ".mongod").symlink_to(ROOT / ".mongod")
    monkeypatch.setattr(mongo, "PORT", nobody())
    monkeypatch.setattr(mongo, "SECONDS_TO_ANSWER", 1)
    server = mongo.up()
    try:
        psutil.Process(server.pid).send_signal(signal.SIGSTOP)
        monkeypatch.setenv("FIFTYONE_DATABASE_URI", server.url)
        began = time.monotonic()
        with pytest.raises(Fixable, match=r"FIFTYONE_DATABASE_URI: .* does not answer .*start it"):
            stages.run("pull", house(people={"dataset": "retrain-72"}), ARTIFACTS)
        assert time.monotonic() - began < 20
        assert pulled() == before
    finally:
        psutil.Process(server.pid).send_signal(signal.SIGCONT)
        remains.stop(mongo.NAME)
