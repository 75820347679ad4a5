"""Replicas that share what they answered, by a real Redis; and what happens when it is away."""

import http.client
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from inference_runtime import shared_cache
from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from inference_runtime.predictor import Answer
from inference_runtime.shared_cache import Shared

redis = pytest.importorskip("redis", reason="make setup brings the redis client")
Make = Callable[..., Bundle]
Picture = Callable[..., bytes]
ANSWER = Answer(0.25, -1.0986, "ab" * 32, "bundle", 64, 48)


class Redis:
    """On a port of its own, started and killed at will."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.port = asked.getsockname()[1]
        self.url, self._folder = f"redis://127.0.0.1:{self.port}/0", folder

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", ""]
        self._process = subprocess.Popen(
            [*command, "--dir", str(self._folder)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        client = redis.Redis(port=self.port)
        for _ in range(500):
            try:
                assert client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.01)
        raise AssertionError("redis-server does not start")

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture
def held(tmp_path: Path) -> Iterator[Redis]:
    if shutil.which("redis-server") is None:
        pytest.skip("no redis-server; apt-get install redis-server")
    (tmp_path / "redis").mkdir()
    server = Redis(tmp_path / "redis")
    server.start()
    yield server
    server.kill()


def metric(server: Any, name: str) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("GET", "/metrics")
    said = connection.getresponse().read().decode()
    connection.close()
    found = re.search(rf"^runtime_{re.escape(name)} (\S+)$", said, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_one_replica_answers_what_another_was_asked(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], held: Redis
) -> None:
    bundle, other = make_bundle(), make_bundle("other", 3.0)
    one, two = (start(bundle, more=["--cache-url", held.url]) for _ in range(2))
    data = make_picture()
    first, again = one.predict(data)[1], two.predict(data)[1]
    assert first.pop("entry") != again.pop("entry"), "each answer has its entry"
    assert first == again
    assert metric(one, 'shared_cache_total{outcome="miss"}') == 1
    assert metric(two, 'shared_cache_total{outcome="hit"}') == 1
    two.predict(data)
    assert metric(two, 'shared_cache_total{outcome="hit"}') == 1, "the second time from its own memory"
    two.swap(other.folder)
    assert two.predict(data)[1]["bundle"] == other.id


def test_redis_may_go_and_come_and_nobody_is_refused(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], held: Redis
) -> None:
    quick = "import inference_runtime.shared_cache as c; c.AWAY_SECONDS = 0.3\n"
    server = start(make_bundle(), prelude=quick, more=["--cache-url", held.url])
    assert server.predict(make_picture(seed=0))[0] == 200 and metric(server, "shared_cache_up") == 1
    held.kill()
    assert [server.predict(make_picture(seed=n))[0] for n in range(1, 6)] == [200] * 5
    assert metric(server, "shared_cache_up") == 0
    assert metric(server, 'shared_cache_total{outcome="down"}') == 5
    held.start()
    time.sleep(0.4)
    assert server.predict(make_picture(seed=6))[0] == 200 and metric(server, "shared_cache_up") == 1
    said = server.stop()[1]
    assert (said.count("Redis is away"), said.count("Redis is back")) == (1, 1)


def test_a_redis_that_hangs_costs_one_answer_a_moment() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        shared = Shared(f"redis://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        for _ in range(100):
            assert shared.get("bundle", "image") == ("down", None)
        assert time.monotonic() - began < 10 * shared_cache.PATIENCE_SECONDS
        shared.put(ANSWER)


def test_what_is_no_answer_is_a_miss(held: Redis) -> None:
    shared = Shared(held.url)
    shared.put(ANSWER)
    assert shared.get(ANSWER.bundle, ANSWER.image) == ("hit", ANSWER)
    client = redis.Redis(port=held.port)
    (key,) = client.keys()
    assert 0 < client.ttl(key) <= shared_cache.KEPT_SECONDS
    for wrong in (b"", b"{", b"[1, 2]", b'["a", 1, 2, 3]', b"\xff", b"7", b"[NaN, 0, 1, 1]", b"[2, 0, 1, 1]"):
        client.set(key, wrong)
        assert shared.get(ANSWER.bundle, ANSWER.image) == ("broken", None)
    client.delete(key)
    client.lpush(key, 1)  # a list where a text should be
    assert shared.get(ANSWER.bundle, ANSWER.image) == ("down", None)


def test_a_wrong_address_is_one_line() -> None:
    with pytest.raises(Fixable, match="--cache-url"):
        Shared("http://127.0.0.1")
