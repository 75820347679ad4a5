"""Where the journal lies makes no difference: a folder, or a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from inference_runtime.errors import Fixable
from pipeline import store


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(endpoint: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, value in (
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    client = boto3.client("s3")
    client.create_bucket(Bucket="journals")
    for name in ("miner/segments/a.log", "miner/segments/b.log", "miner/images/ab/abc.jpg", "other/x"):
        client.put_object(Bucket="journals", Key=name, Body=name.encode())
    return "s3://journals/miner"


def test_a_bucket_reads_like_a_folder(bucket: str, home: Path) -> None:
    shelf = store.at(bucket, "pull.journal")
    assert shelf.names("segments") == ["segments/a.log", "segments/b.log"]
    assert shelf.local("images/ab/abc.jpg").read_bytes() == b"miner/images/ab/abc.jpg"


def test_an_object_is_fetched_once(bucket: str, home: Path) -> None:
    shelf = store.at(bucket, "pull.journal")
    shelf.local("segments/a.log")
    boto3.client("s3").delete_object(Bucket="journals", Key="miner/segments/a.log")
    assert store.at(bucket, "pull.journal").local("segments/a.log").read_bytes() == b"miner/segments/a.log"


def test_an_absent_object_is_absent(bucket: str, home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.at(bucket, "pull.journal").local("segments/z.log")


def test_a_wrong_bucket_is_one_line_with_the_remedy(bucket: str, home: Path) -> None:
    with pytest.raises(Fixable, match=r"params\.yaml: pull\.journal: s3://nowhere.*check the bucket"):
        store.at("s3://nowhere/x", "pull.journal").names("segments")


def test_no_server_is_one_line_too(bucket: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Fixable, match="check the bucket, AWS_ENDPOINT_URL"):
        store.at(bucket, "pull.journal").names("segments")
