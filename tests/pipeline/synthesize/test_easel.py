"""Nothing is painted twice, nothing is lost, and no budget is passed, whenever the easel is killed."""

import base64
import io
import json
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from listening import Listening, Speaker
from PIL import Image

from inference_runtime.errors import Fixable
from pipeline import images
from pipeline.params import Synthesize
from pipeline.synthesize.books import Books, place
from pipeline.synthesize.easel import Easel
from pipeline.synthesize.order import Order

PRICE = 0.04
KILLS = 20
Orders = Callable[..., Order]
Settings = Callable[..., Synthesize]


class Till(Listening):
    """A service that counts what it is asked and takes its price the moment that it is."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.asked: Counter[int] = Counter()
        self.pause = 0.0
        self.broken = False


class Handler(Speaker):
    server: Till

    def do_POST(self) -> None:
        body = json.loads(self.body())
        if self.server.broken:
            return self.say(400, {"message": "Malformed"}, {"x-amzn-ErrorType": "ModelErrorException"})
        self.server.asked[body["seed"]] += 1
        time.sleep(self.server.pause)
        picture = io.BytesIO()
        pixels = np.random.default_rng(body["seed"]).integers(0, 255, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(picture, "PNG")
        return self.say(200, {"images": [base64.b64encode(picture.getvalue()).decode()]})


@pytest.fixture
def till(monkeypatch: pytest.MonkeyPatch) -> Iterator[Till]:
    with Till() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        yield server


@pytest.fixture
def priced(settings: Settings) -> Settings:
    def changed(**given: Any) -> Synthesize:
        prices = {"stability.sd3-5-large-v1:0": PRICE}
        return settings(painters=("bedrock",), bedrock={"prices": prices, "attempts": 1}, **given)

    return changed


@pytest.fixture
def twelve(order: Orders) -> list[Order]:
    return [order("bedrock", "text", seed=seed) for seed in range(12)]


def work(orders: list[Order], params: Synthesize) -> tuple[int, float, dict[Any, str]]:
    with Books(place()) as books:
        easel = Easel(orders, params, books)
        done = easel.work()
        return len(done.done), easel.spent(), dict(done.left)


def hunted(orders: list[Order], params: Synthesize, after: float) -> None:
    """A child that works, and is killed."""
    child = os.fork()
    if child == 0:
        work(orders, params)
        os._exit(0)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)


def test_the_money_is_a_hard_cap(till: Till, priced: Settings, twelve: list[Order]) -> None:
    done, spent, left = work(twelve, priced(usd=0.40))
    assert (done, round(spent, 6)) == (10, 0.40)
    assert till.asked.total() == 10
    assert "0.40 of 0.40 USD are spent" in left["bedrock"]


def test_killed_twenty_times_it_counts_every_cent_and_paints_nothing_twice(
    till: Till, priced: Settings, twelve: list[Order], rooms: Path
) -> None:
    till.pause, params, dice = 0.03, priced(usd=100.0), random.Random()
    for _ in range(KILLS):
        hunted(twelve, params, dice.uniform(0.0, 0.4))
    done, spent, left = work(twelve, params)
    assert (done, left) == (12, {})
    assert len(list(images.root().rglob("*.jpg"))) == 12 + 1  # and the case
    # What the till took is what was booked, or less where a kill came before the request.
    assert till.asked.total() * PRICE <= spent + 1e-9
    assert spent <= (12 + KILLS) * PRICE + 1e-9
    assert max(till.asked.values()) <= 1 + KILLS
    before = till.asked.total()
    assert work(twelve, params)[0] == 12
    assert till.asked.total() == before  # what is at home is not asked for again


def test_a_kill_does_not_lift_the_cap(till: Till, priced: Settings, twelve: list[Order]) -> None:
    till.pause, params, dice = 0.03, priced(usd=0.40), random.Random()
    for _ in range(KILLS):
        hunted(twelve, params, dice.uniform(0.0, 0.4))
    _, spent, _ = work(twelve, params)
    assert till.asked.total() <= 10 and spent <= 0.40 + 1e-9


def test_a_painter_that_is_down_costs_nothing_and_stops_nobody_else(
    till: Till, priced: Settings, order: Orders, twelve: list[Order]
) -> None:
    till.broken = True
    orders = [*twelve, order("procedural", "text", seed=99)]
    done, spent, left = work(orders, priced(usd=1.0))
    assert (done, spent) == (1, 0.0)
    assert "ModelErrorException" in left["bedrock"]
    till.broken = False
    assert work(orders, priced(usd=1.0))[0] == 13


def test_the_time_is_a_hard_cap_and_the_next_run_goes_on(
    till: Till, priced: Settings, twelve: list[Order]
) -> None:
    till.pause = 0.4
    done, _, left = work(twelve, priced(usd=1.0, seconds=1))
    assert 1 <= done <= 4 and "1 s are over" in left["bedrock"]
    till.pause = 0.0
    assert work(twelve, priced(usd=1.0))[0] == 12
    assert till.asked.total() == 12


@pytest.mark.parametrize(("key", "value", "paintings"), [("strength", 0.3, 2), ("timeout", 77, 1)])
def test_what_decides_a_painting_paints_it_anew(
    till: Till, priced: Settings, twelve: list[Order], key: str, value: float, paintings: int
) -> None:
    work(twelve[:1], priced(usd=1.0))
    values = priced(usd=1.0).model_dump()
    values["bedrock"][key] = value
    work(twelve[:1], Synthesize.model_validate(values))
    assert till.asked.total() == paintings


def test_without_credentials_one_line_says_so(
    till: Till, priced: Settings, twelve: list[Order], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    with pytest.raises(Fixable, match="no AWS credentials; set AWS_ACCESS_KEY_ID"):
        work(twelve, priced(usd=1.0))
    with Books(place()) as books:
        assert Easel(twelve, priced(usd=1.0), books).spent() == 0
