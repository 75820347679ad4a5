"""A network that fails, between pull and a real S3 server: nothing is lost or doubled, and retries end."""

import random
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import faulty_proxy
import polars as pl
import pytest
from faulty_proxy import Proxy

from inference_runtime.errors import Fixable
from inference_runtime.ship import patience, s3
from pipeline import params as numbers
from pipeline.params import Pull
from pipeline.pull import journal
from pipeline.pull.quarantine import Quarantine

BUCKET, PREFIX = "journals", "miner/"
LISTING, OBJECT = "list-type=2", r"GET /journals/miner/"
SEGMENT, IMAGE = OBJECT + "segments/", OBJECT + "images/"
PULL = numbers.load(Path(__file__).parents[2] / "params.yaml").pull


@pytest.fixture
def network(s3_server: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    monkeypatch.setattr(patience, "FIRST_SECONDS", 0.002)
    monkeypatch.setattr(patience, "LONGEST_SECONDS", 0.01)
    client = boto3.session.Session().client("s3")
    client.create_bucket(Bucket=BUCKET)
    with faulty_proxy.before(s3_server) as (proxy, address):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        yield proxy


@pytest.fixture
def there(network: Proxy, journalled: Callable[[Path, range], list[str]]) -> Path:
    """A journal of three segments with six pictures each, two of them in all, and the same in the bucket."""
    folder = Path("journal")
    for first in (10, 20, 30):
        journalled(folder, range(2))
        journalled(folder, range(first, first + 4))
    upload(network, folder)
    return folder


def upload(network: Proxy, folder: Path, only: str = "**/*") -> None:
    client = boto3.session.Session().client("s3", endpoint_url=network.server)
    for file in sorted(one for one in folder.glob(only) if one.is_file() and one.suffix in (".log", ".jpg")):
        name = file.relative_to(folder).as_posix()
        client.put_object(Bucket=BUCKET, Key=PREFIX + name, Body=file.read_bytes())


def pulled(address: str = f"s3://{BUCKET}/miner", **given: Any) -> tuple[pl.DataFrame, Quarantine]:
    quarantine = Quarantine()
    numbers: Pull = PULL.model_copy(update={"journal": address, "connections": 4} | given)
    table = journal.read(numbers, datetime.now(UTC), quarantine, ())
    return table.sort("id"), quarantine


def all_of(folder: Path) -> pl.DataFrame:
    """What a pull of the folder itself gives, in a house of its own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULLED", "elsewhere/pulled")
        patch.setenv("IMAGES", "elsewhere/images")
        table, quarantine = pulled(str(folder))
    shutil.rmtree("elsewhere")
    assert not quarantine.rows
    return table


def assert_whole(folder: Path) -> None:
    expected = all_of(folder)
    table, quarantine = pulled()
    assert not quarantine.rows
    assert table.equals(expected)


def test_the_second_pull_fetches_only_what_is_new(
    network: Proxy, there: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    assert_whole(there)
    network.calls.clear()
    pulled()
    assert (network.seen(OBJECT), network.seen(LISTING)) == (0, 1)
    journalled(there, range(30, 36))
    upload(network, there)
    pulled()
    assert (network.seen(SEGMENT), network.seen(IMAGE)) == (1, 2), "four of its six pictures are home"
    assert pulled()[0].equals(all_of(there))


@pytest.mark.parametrize(
    "fault",
    [
        faulty_proxy.refusing(500),
        faulty_proxy.refusing(503, b"<Error><Code>SlowDown</Code></Error>"),
        faulty_proxy.cut,
        faulty_proxy.short,
        faulty_proxy.flipped,
        faulty_proxy.gone,
    ],
    ids=["500", "503", "cut", "short", "flipped", "gone"],
)
def test_what_passes_is_tried_again(network: Proxy, there: Path, fault: Any) -> None:
    expected = all_of(there)
    for place in (LISTING, SEGMENT, IMAGE):
        # A byte flipped in a listing would be another listing; S3 signs none.
        if not (fault is faulty_proxy.flipped and place == LISTING):
            network.fail(place, fault, times=3)
    table, quarantine = pulled()
    assert table.equals(expected) and not quarantine.rows


def test_a_server_that_stalls_is_asked_again(
    network: Proxy, there: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = all_of(there)
    monkeypatch.setattr(s3, "SECONDS", 0.25)
    network.fail(SEGMENT, faulty_proxy.slow(0.8), times=2)
    table, _ = pulled()
    assert table.equals(expected)


def test_a_storm_of_everything(network: Proxy, there: Path) -> None:
    expected = all_of(there)
    rng = random.Random(72)
    faults = [faulty_proxy.refusing(500), faulty_proxy.cut, faulty_proxy.short, faulty_proxy.gone]

    def anything(handler: Any) -> None:
        (rng.choice(faults) if rng.random() < 0.3 else faulty_proxy.untouched)(handler)

    network.fail("GET", anything, times=float("inf"))
    table, quarantine = pulled()
    assert table.equals(expected) and not quarantine.rows


@pytest.mark.parametrize("place", [LISTING, SEGMENT, IMAGE], ids=["listing", "segment", "image"])
def test_what_stays_broken_ends_soon_with_one_line(network: Proxy, there: Path, place: str) -> None:
    network.fail(place, faulty_proxy.refusing(500), times=float("inf"))
    with pytest.raises(
        Fixable, match=r"^params\.yaml pull\.journal: s3://journals/miner: .*run it again later$"
    ) as caught:
        pulled()
    assert "\n" not in str(caught.value)
    assert network.seen(place) <= 4 * patience.TRIES, "each connection gives up, and with the first all do"
    network.faults.clear()
    assert_whole(there)


def test_credentials_that_expire_on_the_way(network: Proxy, there: Path) -> None:
    """What was brought until then stays; renewed, the rest comes, once."""
    expected = all_of(there)
    network.fail(IMAGE, faulty_proxy.untouched, times=3)
    network.fail(IMAGE, faulty_proxy.refusing(400, faulty_proxy.EXPIRED), times=float("inf"))
    with pytest.raises(Fixable, match=r"ExpiredToken.*renew AWS_SESSION_TOKEN and its keys$"):
        pulled()
    asked = network.seen(IMAGE)
    assert asked <= 3 + 4, "an expired token is not tried again"
    network.faults.clear()
    network.calls.clear()
    table, quarantine = pulled()
    assert table.equals(expected) and not quarantine.rows
    assert (network.seen(SEGMENT), network.seen(IMAGE)) == (0, expected["image"].n_unique() - 3)


def test_a_segment_that_one_listing_misses_comes_with_the_next(network: Proxy, there: Path) -> None:
    expected = all_of(there)
    missed = sorted((there / "segments").glob("*.log"))[2]
    network.fail(LISTING, faulty_proxy.without(missed.name))
    first, quarantine = pulled()
    assert first.height < expected.height and not quarantine.rows
    assert pulled()[0].equals(expected)
    network.fail(LISTING, faulty_proxy.without(missed.name))
    assert pulled()[0].equals(expected), "what is home stays home"


def test_a_segment_that_appears_while_the_store_is_listed(
    network: Proxy, there: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    """Page by page; it sorts before what was listed already, or after."""
    network.page = 2
    journalled(there, range(50, 53))
    network.fail(LISTING, faulty_proxy.after(lambda: upload(network, there)))
    first, quarantine = pulled()
    assert not quarantine.rows
    assert set(first["id"]) <= set(all_of(there)["id"])
    assert_whole(there)


def test_an_image_that_the_store_shows_late(network: Proxy, there: Path) -> None:
    expected = all_of(there)
    late = sorted((there / "images").rglob("*.jpg"))[0]
    network.fail(
        IMAGE + f".*{late.stem}", faulty_proxy.refusing(404, b"<Error><Code>NoSuchKey</Code></Error>")
    )
    first, quarantine = pulled()
    assert [row.image for row in quarantine.rows] == [late.stem]
    assert first.height == expected.filter(pl.col("image") != late.stem).height
    again, quarantine = pulled()
    assert again.equals(expected) and not quarantine.rows


def test_a_mended_segment_is_read_again(network: Proxy, there: Path) -> None:
    expected = all_of(there)
    segment = sorted((there / "segments").glob("*.log"))[1]
    whole = segment.read_bytes()
    segment.write_bytes(whole[:40] + b"?" + whole[41:])
    upload(network, there)
    first, quarantine = pulled()
    assert (expected.height - first.height, len(quarantine.rows)) == (1, 1)
    segment.write_bytes(whole)
    upload(network, there, f"segments/{segment.name}")
    again, quarantine = pulled()
    assert again.equals(expected) and not quarantine.rows


def test_a_straggler_older_than_the_window_comes_when_all_is_listed(
    network: Proxy, there: Path, journalled: Callable[[Path, range], list[str]]
) -> None:
    pulled()
    home = set((there / "segments").iterdir())
    journalled(there, range(60, 62))
    (straggler,) = set((there / "segments").iterdir()) - home
    straggler.rename(straggler.with_name("20250101T000000Z-00000000.log"))
    upload(network, there)
    expected = all_of(there)
    assert pulled()[0].height == expected.height - 2
    (listed,) = Path("var/pulled").glob("*/*/listed")
    listed.write_text((datetime.now(UTC) - timedelta(days=PULL.late_days)).isoformat())
    assert pulled()[0].equals(expected)
