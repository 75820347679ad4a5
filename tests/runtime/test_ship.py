"""What is closed reaches the store once, whatever the network, the disk or a kill does."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import boto3
import faulty_proxy
import pytest
from listening import Listening, Speaker

from inference_runtime import images
from inference_runtime.__main__ import main
from inference_runtime.errors import Fixable
from inference_runtime.journal import Entry, Journal, read, segments
from inference_runtime.predictor import Answer
from inference_runtime.ship import patience
from inference_runtime.ship.objects import Parcel
from inference_runtime.ship.receipts import alone
from inference_runtime.ship.run import Order, run
from pipeline import params, store
from pipeline.pull import journal as pulled
from pipeline.pull.quarantine import Quarantine

Picture = Callable[..., bytes]
Said = pytest.CaptureFixture[str]
BUCKET = "journals"
LOADED = faulty_proxy.refusing(503, b"<Error><Code>SlowDown</Code></Error>")
FAULTS = [
    faulty_proxy.refusing(500),
    LOADED,
    faulty_proxy.gone,
    faulty_proxy.slow(0.1),
    faulty_proxy.halved,
]
PULL = params.load(Path(__file__).parents[2] / "params.yaml").pull


def journalled(folder: Path, pictures: list[bytes]) -> list[str]:
    """One closed segment with an entry for each picture; their ids."""
    journal = Journal(folder)
    ids = [journal.append(answer_for(data), data, 1.0) for data in pictures]
    journal.close()
    return ids


def answer_for(data: bytes) -> Answer:
    return Answer(0.25, -1.1, hashlib.sha256(data).hexdigest(), "b" * 16, 64, 48)


@pytest.fixture
def written(home: Path, make_picture: Picture) -> Path:
    """Three closed segments of four pictures, one of which is in all of them."""
    folder = home / "journal"
    for first in (0, 3, 6):
        journalled(folder, [make_picture(seed=n) for n in (99, first, first + 1, first + 2)])
    return folder


@pytest.fixture
def s3(s3_server: str) -> str:
    """The address of an empty bucket on a real S3 server, which the environment leads to."""
    boto3.session.Session().client("s3").create_bucket(Bucket=BUCKET)
    return f"s3://{BUCKET}/miner"


@pytest.fixture(params=["folder", "s3"])
def address(request: pytest.FixtureRequest, home: Path) -> str:
    return str(home / "store") if request.param == "folder" else request.getfixturevalue("s3")


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.005)
    monkeypatch.setattr(patience, "LONGEST_SECONDS", 0.02)


def entries_of(folder: Path) -> list[Entry]:
    found = [one for file in segments(folder) for one in read(file)]
    assert all(isinstance(one, Entry) for one in found)
    return [one for one in found if isinstance(one, Entry)]


def brought_home(address: str) -> list[str]:
    """What `pull` reads from the store, by entry id; nothing of it may be broken or without its picture."""
    quarantine = Quarantine()
    table = pulled.read(PULL.model_copy(update={"journal": address}), datetime.now(UTC), quarantine, ())
    assert quarantine.rows == []
    return table["id"].to_list()


def assert_all_came(journal: Path, address: str) -> None:
    shutil.rmtree("var", ignore_errors=True)
    wanted = [entry.id for entry in entries_of(journal)]
    assert sorted(brought_home(address)) == sorted(wanted) and wanted


def test_pull_reads_what_was_shipped(written: Path, address: str) -> None:
    tally = run(Order(written, address))
    assert (tally.segments, tally.put, tally.missing) == (3, 3 + 10, [])
    assert_all_came(written, address)


def test_nothing_goes_twice(written: Path, address: str, make_picture: Picture) -> None:
    run(Order(written, address))
    again = run(Order(written, address))
    assert (again.segments, again.put) == (0, 0)
    journalled(written, [make_picture(seed=99), make_picture(seed=50)])
    more = run(Order(written, address))
    assert (more.segments, more.images, more.put) == (1, 2, 2), "the picture that is there stays there"
    shutil.rmtree(written / "shipped")
    forgotten = run(Order(written, address))
    assert (forgotten.segments, forgotten.put) == (4, 0), "the store itself says what it has"
    assert_all_came(written, address)


def test_each_store_has_receipts_of_its_own(written: Path, home: Path) -> None:
    for name in ("one", "two"):
        assert run(Order(written, str(home / name))).segments == 3
        assert_all_came(written, str(home / name))


def test_what_is_open_waits_and_what_a_dead_server_left_goes(written: Path, home: Path) -> None:
    living = Journal(written)
    living.append(answer_for(b"x"), b"x", 1.0)
    left = segments(written)[0]
    left.rename(left.with_suffix(".open"))
    assert run(Order(written, str(home / "store"))).segments == 3
    living.close()
    assert run(Order(written, str(home / "store"))).segments == 1


def test_a_torn_object_in_the_store_is_mended(written: Path, s3: str) -> None:
    segment = segments(written)[0]
    named = [one.image for one in read(segment) if isinstance(one, Entry)]
    client = boto3.session.Session().client("s3")
    for name in (f"segments/{segment.name}", f"images/{named[0][:2]}/{named[0]}.jpg"):
        client.put_object(Bucket=BUCKET, Key=f"miner/{name}", Body=b"torn")
    run(Order(written, s3))
    assert_all_came(written, s3)


def test_a_lost_picture_is_said_and_costs_no_other(written: Path, home: Path) -> None:
    lost, altered = (images.place(written / "images", one.image) for one in entries_of(written)[1:3])
    lost.unlink()
    altered.write_bytes(b"altered")
    tally = run(Order(written, str(home / "store")))
    assert sorted(tally.missing) == sorted([lost.stem, altered.stem]) and tally.segments == 3
    assert len(list((home / "store" / "images").rglob("*.jpg"))) == 8


def test_the_images_come_before_the_segment(
    written: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from inference_runtime.ship.folder import Folder

    put = Folder.put

    def checked(self: Folder, parcel: Parcel) -> None:
        put(self, parcel)
        at = home / "store"
        for file in segments(at) if parcel.name.startswith("segments") else ():
            missing = [one for one in read(file) if isinstance(one, Entry) and not stored(at, one.image)]
            assert not missing

    monkeypatch.setattr(Folder, "put", checked)
    run(Order(written, str(home / "store")))


def stored(at: Path, image: str) -> bool:
    return images.place(at / "images", image).exists()


@pytest.mark.parametrize("seed", range(3))
def test_a_bad_network_costs_time_and_nothing_else(
    written: Path, s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    rng = random.Random(seed)
    suffered: set[faulty_proxy.Suffer] = set()

    def anything(handler: faulty_proxy.Handler) -> None:
        fault = rng.choice(FAULTS) if rng.random() < 0.4 else faulty_proxy.untouched
        suffered.add(fault)
        fault(handler)

    monkeypatch.setattr(patience, "TRIES", 40)
    with faulty_proxy.before(s3_server) as (proxy, address):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        proxy.fail("/", anything, times=float("inf"))
        assert run(Order(written, s3, connections=4)).segments == 3
    assert len(suffered) >= 5
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_server)
    assert_all_came(written, s3)


def test_a_store_that_stays_down_is_one_line_after_so_many_tries(
    written: Path, s3: str, s3_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with faulty_proxy.before(s3_server) as (proxy, address):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        proxy.fail("/", faulty_proxy.refusing(500), times=float("inf"))
        with pytest.raises(Fixable, match="7 tries failed, run it again later"):
            run(Order(written, s3))


class Refusing(Speaker):
    """An S3 server that takes nothing, and says why as S3 does."""

    code, status = "", 403

    def do_GET(self) -> None:
        self.body()
        self.say(self.status, f"<Error><Code>{self.code}</Code><Message>no</Message></Error>".encode())

    do_PUT = do_HEAD = do_GET


@pytest.mark.parametrize(
    ("code", "status", "says"),
    [
        ("ExpiredToken", 400, "have expired: renew AWS_SESSION_TOKEN"),
        ("InvalidAccessKeyId", 403, "nobody has this AWS_ACCESS_KEY_ID"),
        ("SignatureDoesNotMatch", 403, "AWS_SECRET_ACCESS_KEY does not belong"),
        ("AccessDenied", 403, "allow these credentials s3:PutObject"),
        ("NoSuchBucket", 404, "create the bucket"),
        ("RequestTimeTooSkewed", 403, "set this machine's clock"),
    ],
)
def test_what_a_person_must_mend_is_one_line_at_once(
    written: Path, s3: str, monkeypatch: pytest.MonkeyPatch, code: str, status: int, says: str
) -> None:
    with Listening(type("Because", (Refusing,), {"code": code, "status": status})) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        with pytest.raises(Fixable, match=says) as caught:
            run(Order(written, s3))
    assert "\n" not in str(caught.value) and s3 in str(caught.value)


def test_a_real_server_refuses_a_missing_bucket(written: Path, s3: str) -> None:
    with pytest.raises(Fixable, match="create the bucket, or correct its name"):
        run(Order(written, "s3://nowhere/x"))


def test_no_credentials_is_one_line(written: Path, s3: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    with pytest.raises(Fixable, match="AWS_ACCESS_KEY_ID"):
        run(Order(written, s3))


@pytest.mark.parametrize(
    ("journal", "address", "says"),
    [
        ("nowhere", "store", "journal nowhere: is none; name the folder that `serve` writes"),
        ("journal", "journal", "store journal: is the journal itself"),
        ("journal", "gs://x/y", "neither a folder nor s3://"),
        ("journal", "s3://", "no bucket; write s3://bucket/prefix"),
        ("journal", "journal/ship.lock", "name a folder that can be written"),
    ],
)
def test_a_wrong_place_is_one_line(
    written: Path, journal: str, address: str, says: str, capsys: Said
) -> None:
    assert main(["ship", "--journal", journal, "--store", address]) == 1
    said = capsys.readouterr().err
    assert says in said and said.startswith("inference_runtime: ") and said.count("\n") == 1


def test_two_at_once_are_one(written: Path, capsys: Said) -> None:
    with alone(written):
        assert main(["ship", "--journal", "journal", "--store", "store"]) == 1
    assert f"shipped already by process {os.getpid()}" in capsys.readouterr().err
    assert main(["ship", "--journal", "journal", "--store", "store"]) == 0
    assert "3 segments naming 12 images, 13 objects" in capsys.readouterr().out


def test_a_dry_run_says_and_touches_nothing(written: Path, home: Path, capsys: Said) -> None:
    before = sorted(home.rglob("*"))
    assert main(["ship", "--journal", "journal", "--store", "store", "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "ship: 3 segments with 10 images" in said and segments(written)[0].name in said
    assert sorted(home.rglob("*")) == before


def test_what_was_shipped_long_enough_ago_is_removed_here(
    written: Path, address: str, make_picture: Picture
) -> None:
    wanted = [entry.id for entry in entries_of(written)]
    assert run(Order(written, address, keep_days=1)).segments == 3
    assert len(segments(written)) == 3, "shipped a moment ago"
    kept = segments(written)[-1]
    long_ago = time.time() - 2 * 86400
    for file in [*written.glob("shipped/*/*"), *written.glob("images/*/*")]:
        if file.name != kept.name:
            os.utime(file, (long_ago, long_ago))
    run(Order(written, address, keep_days=1))
    assert segments(written) == [kept]
    named = {entry.image for entry in entries_of(written)}
    assert {file.stem for file in written.glob("images/*/*")} == named, "still named, so still here"
    wanted += journalled(written, [make_picture(seed=0)])
    run(Order(written, address, keep_days=1))
    assert sorted(brought_home(address)) == sorted(wanted)


def test_what_was_not_shipped_is_never_removed(written: Path, home: Path) -> None:
    for file in written.rglob("*"):
        os.utime(file, (0, 0))
    run(Order(written, str(home / "one"), keep_days=1))
    assert len(segments(written)) == 3 and len(list(written.glob("images/*/*"))) == 10


def test_what_the_store_lost_is_shipped_again_before_it_is_removed(written: Path, home: Path) -> None:
    run(Order(written, str(home / "store")))
    lost = segments(home / "store")[0]
    lost.unlink()
    run(Order(written, str(home / "store"), keep_days=0))
    assert [file.name for file in segments(written)] == [lost.name]
    run(Order(written, str(home / "store")))
    assert len(segments(home / "store")) == 3


def ship_in_a_process(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "inference_runtime", "ship", "--journal", "journal", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_follower_ships_what_closes_later_and_ends_well(
    written: Path, home: Path, make_picture: Picture
) -> None:
    follower = ship_in_a_process("--store", "store", "--follow", "--every", "0.1")
    wait_for(lambda: len(segments(home / "store")) == 3)
    journalled(written, [make_picture(seed=50)])
    wait_for(lambda: len(segments(home / "store")) == 4)
    follower.terminate()
    out, err = follower.communicate(timeout=20)
    assert follower.returncode == 0, err
    assert out.startswith("ship: 4 segments naming 13 images")
    assert_all_came(written, "store")


def test_a_follower_outlives_a_store_that_goes_away(written: Path, s3: str, make_picture: Picture) -> None:
    client = boto3.session.Session().client("s3")
    follower = ship_in_a_process("--store", s3, "--follow", "--every", "0.1")
    wait_for(lambda: len(list(store.at(s3, "x", 2).objects("segments"))) == 3)
    for name in client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        client.delete_object(Bucket=BUCKET, Key=name["Key"])
    client.delete_bucket(Bucket=BUCKET)
    journalled(written, [make_picture(seed=50)])
    assert follower.stderr is not None
    said = iter(follower.stderr.readline, "")
    assert "create the bucket" in next(line for line in said if "trying again" in line)
    client.create_bucket(Bucket=BUCKET)
    wait_for(lambda: len(list(store.at(s3, "x", 2).objects("segments"))) == 1)
    follower.terminate()
    follower.communicate(timeout=20)
    assert follower.returncode == 0


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["folder", "s3"])
def test_killed_again_and_again(
    home: Path, make_picture: Picture, kind: str, request: pytest.FixtureRequest
) -> None:
    """Each run is killed a little later than the one before, while the journal grows and is cleared away."""
    address = "store" if kind == "folder" else request.getfixturevalue("s3")
    folder, wanted = home / "journal", []
    for n in range(6):
        wanted += journalled(folder, [make_picture(seed=10 * n + k) for k in range(10)])
    for n in range(12):
        doomed = ship_in_a_process("--store", address, "--keep-days", "0", "--connections", "2")
        time.sleep(0.12 + 0.06 * n)
        doomed.send_signal(signal.SIGKILL)
        doomed.communicate(timeout=20)
        if n < 6:
            wanted += journalled(folder, [make_picture(seed=1000 + n)])
    run(Order(folder, address, keep_days=0))
    assert sorted(brought_home(address)) == sorted(wanted)
    assert segments(folder) == [] and list(folder.glob("images/*/*")), "a line may still come to name them"
    for image in folder.glob("images/*/*"):
        os.utime(image, (0, 0))
    run(Order(folder, address, keep_days=0))
    assert not list(folder.glob("images/*/*"))
