"""Where the journal lies makes no difference: a folder, or a real S3 server."""

from pathlib import Path

import boto3
import pytest

from inference_runtime.errors import Fixable
from inference_runtime.ship import patience
from pipeline import store


@pytest.fixture
def bucket(s3_server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.005)
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket="journals")
    for name in ("miner/segments/a.log", "miner/segments/b.log", "miner/images/ab/abc.jpg", "other/x"):
        client.put_object(Bucket="journals", Key=name, Body=name.encode())
    return "s3://journals/miner"


def test_a_bucket_reads_like_a_folder(bucket: str, home: Path) -> None:
    shelf = store.at(bucket, "pull.journal", 2)
    found = list(shelf.objects("segments"))
    assert [one.name for one in found] == ["segments/a.log", "segments/b.log"]
    assert [one.name for one in shelf.objects("segments", "segments/a.log")] == ["segments/b.log"]
    assert shelf.read("images/ab/abc.jpg") == b"miner/images/ab/abc.jpg"
    assert shelf.local(found[0], home).read_bytes() == b"miner/segments/a.log"


def test_another_content_has_another_mark(bucket: str, home: Path) -> None:
    shelf = store.at(bucket, "pull.journal", 2)
    before = list(shelf.objects("segments"))
    boto3.session.Session().client("s3").put_object(
        Bucket="journals", Key="miner/segments/a.log", Body=b"other"
    )
    after = list(shelf.objects("segments"))
    assert before[0].mark != after[0].mark and before[1] == after[1]


def test_an_absent_object_is_absent(bucket: str, home: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.at(bucket, "pull.journal", 2).read("segments/z.log")


def test_a_wrong_bucket_is_one_line_with_the_remedy(bucket: str, home: Path) -> None:
    said = r"params\.yaml pull\.journal: s3://nowhere.*correct its name in params\.yaml pull\.journal"
    with pytest.raises(Fixable, match=said):
        list(store.at("s3://nowhere/x", "pull.journal", 2).objects("segments"))


def test_no_server_is_one_line_too(bucket: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(Fixable, match=r"Could not connect.*7 tries failed, run it again later"):
        list(store.at(bucket, "pull.journal", 2).objects("segments"))
