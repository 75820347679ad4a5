"""Simulated validators against a tiny runtime that is busy, forgetful or gone."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Lock

import pytest
from listening import Listening, Speaker

from inference_runtime.errors import Fixable
from pipeline import challenge
from pipeline.world import asking, people, validators


class Runtime:
    """Answers with a probability made of the picture's hash, unless `refuse` says otherwise."""

    def __init__(self) -> None:
        self.images: list[str] = []
        self.requests = self.connections = 0
        self.refuse: Callable[[int], tuple[int, str] | None] = lambda request: None
        self.forgets = False
        self.lock = Lock()

    def answer(self, body: bytes) -> tuple[int, dict[str, object]]:
        with self.lock:
            self.requests += 1
            if refusal := self.refuse(self.requests):
                return refusal[0], {"error": refusal[1]}
            image = hashlib.sha256(base64.b64decode(json.loads(body)["image"])).hexdigest()
            self.images.append(image)
        return 200, {"p": int(image[:8], 16) / 2**32, "label": "clear", "image": image, "bundle": "b"}


@pytest.fixture
def runtime() -> Iterator[tuple[str, Runtime]]:
    state = Runtime()

    class Handler(Speaker):
        def setup(self) -> None:
            state.connections += 1
            super().setup()

        def do_POST(self) -> None:
            self.say(*state.answer(self.body()), {"Retry-After": "0"})
            # Without a word, as a server does with a connection that it thinks idle.
            self.close_connection = state.forgets

    with Listening(Handler) as server:
        yield server.url, state


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "_FIRST_PAUSE", 0.001)


def lines(truth: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in truth.read_text().splitlines()]


def test_challenges_are_sent_and_remembered_in_order(runtime: tuple[str, Runtime], tmp_path: Path) -> None:
    url, state = runtime
    pay = validators.play(url, 12, 5, tmp_path / "world" / "truth.jsonl")
    ledger = lines(tmp_path / "world" / "truth.jsonl")
    assert [line["number"] for line in ledger] == list(range(12))
    assert {line["image"] for line in ledger} == set(state.images)
    for line in ledger:
        assert line["label"] in (0, 1)
        assert line["p"] == int(str(line["image"])[:8], 16) / 2**32
        assert line["image"] == hashlib.sha256(validators.nth(5, int(str(line["number"]))).data).hexdigest()
    assert pay == challenge.expected_reward(
        [int(str(line["label"])) for line in ledger], [line["p"] for line in ledger]
    )
    assert state.connections <= validators.THREADS


def test_a_campaign_goes_on_where_it_stood(runtime: tuple[str, Runtime], tmp_path: Path) -> None:
    url, _ = runtime
    whole, parts = tmp_path / "whole.jsonl", tmp_path / "parts.jsonl"
    validators.play(url, 6, 5, whole)
    for count in (4, 2):
        validators.play(url, count, 5, parts, start=validators.played(parts))
    assert [line["image"] for line in lines(whole)] == [line["image"] for line in lines(parts)]


def test_a_line_that_a_kill_cut_short_is_sent_again(runtime: tuple[str, Runtime], tmp_path: Path) -> None:
    url, _ = runtime
    truth = tmp_path / "truth.jsonl"
    validators.play(url, 3, 5, truth)
    truth.write_text(truth.read_text()[:-20])
    assert validators.played(truth) == 2
    validators.play(url, 1, 5, truth, start=2)
    assert [line["number"] for line in lines(truth)] == [0, 1, 2]


def test_a_busy_runtime_is_asked_again(runtime: tuple[str, Runtime], tmp_path: Path) -> None:
    url, state = runtime
    state.refuse = lambda request: (429, "busy") if request % 3 else None
    validators.play(url, 5, 5, tmp_path / "truth.jsonl")
    assert validators.played(tmp_path / "truth.jsonl") == 5
    assert state.requests > 10


def test_a_forgetful_runtime_is_met_with_a_fresh_connection(
    runtime: tuple[str, Runtime], tmp_path: Path
) -> None:
    url, state = runtime
    state.forgets = True
    validators.play(url, 8, 5, tmp_path / "truth.jsonl")
    assert validators.played(tmp_path / "truth.jsonl") == 8
    assert len(state.images) == 8


def test_a_refusal_is_one_line_with_its_reason(runtime: tuple[str, Runtime], tmp_path: Path) -> None:
    url, state = runtime
    state.refuse = lambda request: (400, "not an image") if request > 2 else None
    with pytest.raises(Fixable, match=r"answered 400.*not an image") as error:
        validators.play(url, 6, 5, tmp_path / "truth.jsonl", threads=1)
    assert url in str(error.value)
    assert validators.played(tmp_path / "truth.jsonl") == 2


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "127.0.0.1:8072", "https://127.0.0.1"])
def test_a_missing_runtime_is_named(url: str, tmp_path: Path) -> None:
    with pytest.raises(Fixable, match=url):
        validators.play(url, 2, 5, tmp_path / "truth.jsonl")


def test_people_say_what_they_see(runtime: tuple[str, Runtime], tmp_path: Path) -> None:
    url, _ = runtime
    truth = tmp_path / "truth.jsonl"
    validators.play(url, 10, 5, truth)
    ledger = lines(truth)
    asked = [str(line["image"]) for line in ledger[:7]]
    said = people.answers([*asked, "f" * 64], truth)
    assert set(said) == set(asked)
    for line in ledger[:7]:
        answer = said[str(line["image"])]
        assert answer.label == line["seen"]
        assert list(answer.tags) == sorted(line["tags"])  # type: ignore[call-overload]


def test_nobody_was_asked(tmp_path: Path) -> None:
    assert people.answers(["a" * 64], tmp_path / "truth.jsonl") == {}
    assert people.answers([], tmp_path / "truth.jsonl") == {}
