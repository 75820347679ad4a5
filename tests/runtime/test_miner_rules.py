"""What the miner decides itself: who is answered, when, in what order, and that a number always comes."""

import asyncio
import base64
import json
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from inference_runtime.errors import Fixable
from inference_runtime.miner import answering, chain, check, neurons
from inference_runtime.miner.answering import UNSURE, Unanswered, prediction
from inference_runtime.miner.freshness import objection
from inference_runtime.miner.limits import BodyLimit
from inference_runtime.miner.neurons import NOBODY, Neuron, Neurons
from inference_runtime.miner.rules import Rules
from inference_runtime.miner.turns import Turns
from inference_runtime.wire import Refusal

IMAGE = base64.b64encode(b"image").decode()
CROWD = Neurons(0.0, 7, {"big": Neuron(1, 900.0, True, 0.9), "small": Neuron(2, 10.0, False)})


@pytest.mark.parametrize(
    ("hotkey", "rules", "says"),
    [
        ("big", Rules(), None),
        (None, Rules(), "no dendrite hotkey"),
        ("", Rules(), "no dendrite hotkey"),
        ("stranger", Rules(needs_permit=False), "not registered"),
        ("small", Rules(), "no validator permit"),
        ("small", Rules(needs_permit=False), None),
        ("small", Rules(needs_permit=False, min_stake=11), "stake of 10 is under 11"),
    ],
)
def test_who_is_answered(hotkey: str | None, rules: Rules, says: str | None) -> None:
    reason = rules.refusal(hotkey, CROWD)
    assert reason is None if says is None else says in str(reason)


@pytest.mark.parametrize(
    ("signature", "age", "version", "timeout", "says"),
    [
        ("0x1", 0, 10_005_000, 9, None),
        ("0x1", 12, 9_012_002, 9, None),
        ("", 0, 10_005_000, 9, "empty signature"),
        (None, 0, 10_005_000, 9, "empty signature"),
        ("0x1", 14, 10_005_000, 9, "s old"),
        ("0x1", 60, 10_005_000, 1e9, "s old"),
        ("0x1", 5, 10_005_000, -1e9, "s old"),
        ("0x1", -60, 10_005_000, 9, "ahead"),
        ("0x1", 0, 7_001_999, 9, "before 7.2"),
    ],
)
def test_what_is_fresh(
    signature: str | None, age: float, version: int, timeout: float, says: str | None
) -> None:
    reason = objection(signature, time.time_ns() - int(age * 1e9), version, timeout)
    assert reason is None if says is None else says in str(reason)


def test_a_request_without_a_nonce_is_not_fresh() -> None:
    assert objection("0x1", None, 10_005_000, 9) == "no nonce"


def test_the_most_stake_goes_first_and_who_gives_up_loses_nothing_for_others() -> None:
    came: list[float] = []

    async def ask(turns: Turns, stake: float) -> None:
        async with turns.turn(stake):
            came.append(stake)
            await asyncio.sleep(0.01)

    async def scene() -> None:
        turns = Turns(1)
        first = asyncio.create_task(ask(turns, 5.0))
        await asyncio.sleep(0)
        rest = [asyncio.create_task(ask(turns, stake)) for stake in (1.0, 9.0, 3.0, 7.0)]
        await asyncio.sleep(0)
        rest[3].cancel()
        await asyncio.gather(first, *rest, return_exceptions=True)
        await asyncio.wait_for(ask(turns, 2.0), 1)

    asyncio.run(scene())
    assert came == [5.0, 9.0, 3.0, 1.0, 2.0]


class Says:
    """Gives or raises one after the other; the last for ever."""

    def __init__(self, *said: float | Exception, takes: float = 0.0) -> None:
        self.said, self.takes = list(said), takes

    async def p(self, image: bytes, deadline: float) -> float:
        await asyncio.sleep(self.takes)
        found = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(found, Exception):
            raise found
        return found


def predicted(says: Says, seconds: float = 0.5, text: str = IMAGE) -> float:
    async def scene() -> float:
        return await prediction(Turns(1), 0.0, says, text, time.monotonic() + seconds)

    return asyncio.run(scene())


@pytest.mark.parametrize(
    ("says", "wanted"),
    [
        (Says(0.7), 0.7),
        (Says(1.0000001), 1.0),
        (Says(-1.0), 0.0),
        (Says(float("nan")), UNSURE),
        (Says(float("inf")), UNSURE),
        (Says(0.7, takes=5), UNSURE),
        (Says(Unanswered("busy"), Unanswered("busy"), 0.7), 0.7),
        (Says(Unanswered("down")), UNSURE),
    ],
)
def test_it_always_says_a_number_in_time(says: Says, wanted: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "AGAIN_SECONDS", 0.01)
    began = time.monotonic()
    assert predicted(says) == wanted
    assert time.monotonic() - began < 4  # the slow one takes five


def test_what_is_no_base64_is_refused() -> None:
    with pytest.raises(Refusal, match="image: not base64"):
        predicted(Says(0.7), text="!" * 9)


async def _echo(scope: Any, receive: Any, send: Any) -> None:
    """Reads all, and takes an interruption for its own failure, as the SDK does."""
    try:
        while (await receive()).get("more_body"):
            pass
        status = 200
    except Exception:  # noqa: BLE001
        status = 500
    await send({"type": "http.response.start", "status": status, "headers": []})
    await send({"type": "http.response.body", "body": b""})


@pytest.mark.parametrize(
    ("said", "chunks", "status"),
    [("4", [4], 200), ("11", [11], 413), (None, [4, 4], 200), (None, [4, 4, 4], 413), ("x", [1], 413)],
)
def test_a_body_over_the_limit_is_a_413_said_or_sent(
    said: str | None, chunks: list[int], status: int
) -> None:
    messages = [
        {"type": "http.request", "body": b"x" * size, "more_body": n + 1 < len(chunks)}
        for n, size in enumerate(chunks)
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [] if said is None else [(b"content-length", said.encode())]
    asyncio.run(BodyLimit(_echo, 10)({"type": "http", "headers": headers}, receive, send))
    assert [one.get("status") for one in sent] == [status, None]


def test_who_is_there_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "neurons.json"
    assert neurons.load(file) == NOBODY
    neurons.save(CROWD, file)
    assert neurons.load(file) == CROWD


@pytest.mark.parametrize("content", ["", "[]", '{"hotkeys": {"a": {"uid": 1}}}', '{"at": 1, "block": 1}'])
def test_a_broken_memory_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "neurons.json").write_text(content)
    with pytest.raises(Fixable, match="is no list of neurons"):
        neurons.load(tmp_path / "neurons.json")


def test_a_snapshot_knows_what_goes_to_the_owner() -> None:
    seen = SimpleNamespace(
        hotkeys=["owner", "val", "idle"], S=[1.0, 2.0, 3.0], validator_permit=[0, 1, 1], block=9
    )
    found = chain.snapshot(seen, "owner", {1: [(0, 300), (2, 100)]}).by_hotkey
    assert found["val"] == Neuron(1, 2.0, True, 0.25)
    assert found["idle"].shared is None


@pytest.mark.parametrize(
    ("shared", "state", "says"),
    [(0.0, "fail", "nothing can be earned here now"), (0.2, "warn", "20.0%"), (1.0, "ok", "100.0%"),
     (None, "warn", "unknown")],
)  # fmt: skip
def test_check_says_where_the_weights_go(shared: float | None, state: str, says: str) -> None:
    line = check.weights(Neurons(0.0, 1, {"v": Neuron(1, 5.0, True, shared)}))
    assert line.state == state and says in line.said


def test_check_says_who_is_registered() -> None:
    assert check.registered("big", CROWD).said == "as uid 1"
    assert check.registered("stranger", CROWD).state == "fail"
    assert check.registered("big", NOBODY).state == "warn"


def test_a_chain_that_never_answers_is_absent_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "_neurons", lambda network, netuid: time.sleep(5))
    with pytest.raises(chain.Absent, match=r"chain far: nothing within 0 s; check the network"):
        chain.neurons("far", 72, seconds=0.05)


def test_the_memory_is_json_that_a_person_can_write(tmp_path: Path) -> None:
    neurons.save(CROWD, tmp_path / "n.json")
    assert json.loads((tmp_path / "n.json").read_text())["hotkeys"]["big"]["stake"] == 900.0
