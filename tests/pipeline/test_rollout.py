"""Shadow, canary, all, and back by itself: the drive against a real runtime with real traffic."""

import http.client
import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO
from itertools import count
from pathlib import Path
from typing import Any

import brightness
import numpy as np
import pytest
import yaml
from listening import Listening, Speaker
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from inference_runtime.errors import Fixable
from pipeline import hub, params, rollout
from pipeline.hub.folder import Folder
from pipeline.params import Params
from pipeline.rollout import fleet, looks, signals, story
from pipeline.services import runtime

ROOT = Path(__file__).parents[2]
TOKEN = "open sesame"
NUMBERS = count()
BRISK = {"shadow": 60, "canary": 30, "share": 0.5, "watch": 60}
SCORES = {"challenger": {"confusion": {"hits": 960, "misses": 40, "rejections": 960, "alarms": 40}}}
GATE = {"gold": {"n": 2000, "won": 40, "lost": 20}, "scores": SCORES}


def grey(level: int) -> bytes:
    """A picture of one grey, so that the share of pictures two fences part is the distance between them.

    No two are the same bytes: what the runtime has answered before it need not ask a model again.
    """
    file, named = BytesIO(), PngInfo()
    named.add_text("number", str(next(NUMBERS)))
    Image.new("RGB", (16, 16), (level, level, level)).save(file, "PNG", pnginfo=named)
    return file.getvalue()


@dataclass
class House:
    """A hub, a runtime that serves its first champion, and traffic."""

    folder: Path
    shelf: Folder
    params: Params
    answered: int = 0
    refused: list[int] = field(default_factory=list)

    def release(self, fence: float, gain: float = 20.0, verdict: dict[str, Any] = GATE) -> hub.Release:
        """A model that tells what is brighter than its fence; that it passed the gate says the verdict."""
        folder = self.folder / f"fence-{fence}-{gain}"
        sealed = brightness.sealed(folder, 8, slope=gain / 255, offset=gain * fence)
        champion = hub.reigning(self.shelf)
        version = hub.next_version(self.shelf.releases())
        beat = champion.bundle if champion else None
        wanted = hub.Release(version, sealed.id, beat, "2026-11-20T00:00:00+00:00", {})
        return self.shelf.release(folder, wanted, {"value": "PASS", **verdict})

    def run(self, **numbers: float) -> None:
        rollout.run(self.given(**numbers))

    def watch(self, **numbers: float) -> None:
        rollout.watch(self.given(**numbers))

    def given(self, **numbers: float) -> Params:
        return self.params.model_copy(
            update={"rollout": self.params.rollout.model_copy(update={"poll": 0.02, **numbers})}
        )

    def ask(self, pictures: int, seed: int = 0) -> None:
        connection = http.client.HTTPConnection(
            "127.0.0.1", int(runtime.url().rpartition(":")[2]), timeout=20
        )
        for level in np.random.default_rng(seed).integers(0, 256, pictures):
            connection.request("POST", "/v1/predict", grey(int(level)))
            response = connection.getresponse()
            response.read()
            self.answered += 1
            if response.status != 200:
                self.refused.append(response.status)
        connection.close()

    @contextmanager
    def traffic(self) -> Iterator[None]:
        stop = threading.Event()

        def play() -> None:
            seed = 0
            while not stop.is_set():
                self.ask(20, seed := seed + 1)

        thread = threading.Thread(target=play)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    @property
    def serving(self) -> str:
        return str(runtime.roles()["serving"]["bundle"])

    def steps(self) -> list[str]:
        return [entry["step"] for entry in story.told() if entry["step"] != "look"]


@pytest.fixture
def house(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    (home / "dvc.yaml").touch()
    (home / "journal").mkdir()
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    made = House(home, Folder(home / "var/hub"), params.parse(values))
    first = made.release(0.5)
    with serving(made.shelf.place(first.bundle), home / "journal") as (port, admin):
        monkeypatch.setenv("RUNTIME_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("RUNTIME_ADMIN_URL", f"http://127.0.0.1:{admin}")
        monkeypatch.setenv("RUNTIME_ADMIN_TOKEN", TOKEN)
        monkeypatch.delenv("ALERT_WEBHOOK", raising=False)
        yield made


@contextmanager
def serving(folder: Path, journal: Path, **environment: str) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "inference_runtime", "serve", "--threads", "2"]
    command += ["--port", "0", "--admin-port", "0", "--bundle", str(folder), "--journal", str(journal)]
    process = subprocess.Popen(
        command,
        env={**os.environ, "RUNTIME_ADMIN_TOKEN": TOKEN, "PYTHONPATH": str(ROOT), **environment},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr
        # It says first which engine it took; only a process that ended says nothing more.
        said = ""
        while len(ports := re.findall(r"127\.0\.0\.1:(\d+)", said)) < 2:
            line = process.stderr.readline()
            assert line, said
            said += line
        yield int(ports[0]), int(ports[1])
    finally:
        process.kill()
        process.communicate()


def test_a_good_one_goes_through_shadow_and_canary_and_is_watched(house: House) -> None:
    good = house.release(0.52)
    with house.traffic():
        house.run(**BRISK)
        assert house.serving == good.bundle
        while house.steps()[-1] != "watched":
            house.watch(**BRISK)
            time.sleep(0.02)
    assert house.steps() == ["shadow", "canary", "promoted", "watch", "watched"]
    assert house.refused == []
    assert runtime.roles()["shadow"] is None
    house.run(**BRISK)  # and then it is left alone
    assert house.steps()[-1] == "watched"


def test_a_bad_one_is_taken_back_in_time_alerts_and_leaves_its_story(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = house.serving
    bad = house.release(0.75)
    with told() as (url, heard), house.traffic():
        monkeypatch.setenv("ALERT_WEBHOOK", url)
        house.run()
    assert house.serving == before
    assert house.steps() == ["shadow", "taken back"]
    last = story.told()[-1]
    assert "disagreement" in last["says"] and last["bundle"] == bad.bundle
    expected = signals.expected(GATE, house.params.rollout)
    items = int(re.search(r"of (\d+) answers differ", last["says"])[1])
    # At the look that all but surely sees it, or the one after: looks come when the runtime is asked.
    assert items <= 1.5 * looks.seen_by(0.25, expected, house.params.rollout, power=0.999)
    assert hub.reigning(house.shelf).bundle == before
    assert "ALERT: 1.1.0" in capsys.readouterr().err
    assert heard and "was taken back: disagreement" in heard[0]["text"]


def test_one_that_turns_bad_only_when_it_serves_goes_back_by_itself(house: House) -> None:
    before = house.serving
    house.release(0.75)
    with house.traffic():
        house.run(shadow=0, canary=0)  # forced past every trial
        while house.serving != before:
            house.watch(shadow=0, canary=0)
            time.sleep(0.02)
    assert house.steps() == ["promoted", "watch", "taken back"]
    assert house.refused == []
    assert runtime.roles()["shadow"] is None


def test_in_a_quiet_house_the_gates_word_is_enough(house: House) -> None:
    good = house.release(0.52)
    began = time.monotonic()
    house.run(quiet=0.3)
    assert time.monotonic() - began < 5
    assert house.serving == good.bundle
    assert "nobody asked" in next(e["says"] for e in story.told() if e["step"] == "promoted")


def test_a_house_that_was_asked_a_little_waits_for_more_and_goes_on_another_time(house: House) -> None:
    good = house.release(0.52)
    house.run(patience=0, quiet=60)
    house.ask(30)
    house.run(patience=0.3, quiet=0.1)
    assert (house.steps(), house.serving == good.bundle) == (["shadow"], False)
    house.ask(200)
    house.run(patience=0.3, canary=0)
    assert house.serving == good.bundle


@pytest.mark.parametrize("killed_at", ["shadow", "canary", "promoted", "watch", "look"])
def test_killed_at_any_step_it_goes_on(house: House, killed_at: str, monkeypatch: pytest.MonkeyPatch) -> None:
    good = house.release(0.52)
    tell = story.tell

    def kill(step: str, *given: Any, **more: Any) -> None:
        if step == killed_at:
            monkeypatch.setattr(story, "tell", tell)
            raise KeyboardInterrupt
        tell(step, *given, **more)

    monkeypatch.setattr(story, "tell", kill)
    with house.traffic():
        with pytest.raises(KeyboardInterrupt):
            house.run(**BRISK)
            while True:
                house.watch(**BRISK)
        house.run(**BRISK)
        while house.steps()[-1] != "watched":
            house.watch(**BRISK)
    assert house.serving == good.bundle
    assert house.refused == []


def test_killed_while_it_is_taken_back_it_is_taken_back(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = house.serving
    bad = house.release(0.75)
    with monkeypatch.context() as patched, house.traffic(), pytest.raises(KeyboardInterrupt):
        patched.setattr(runtime, "end", lambda role: (_ for _ in ()).throw(KeyboardInterrupt))
        house.run()
    assert fleet.stand(bad.bundle).phase == "shadow"
    house.run(patience=0)
    assert fleet.stand(bad.bundle).phase == "new"
    assert house.serving == before and bad.bundle in house.shelf.withdrawn()


def test_a_person_takes_it_back_with_a_word(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    before = house.serving
    bad = house.release(0.52)
    house.run(quiet=0)
    assert house.serving == bad.bundle
    began = time.monotonic()
    rollout.back(house.given(), "it looks odd")
    assert time.monotonic() - began < 5
    assert house.serving == before
    house.run(quiet=0)
    assert house.serving == before  # the night does not bring it back
    capsys.readouterr()
    rollout.history()
    assert re.search(r"1\.1\.0 +taken back +it looks odd", capsys.readouterr().out)


def test_the_only_one_there_ever_was_cannot_be_taken_back(house: House) -> None:
    with pytest.raises(Fixable, match="none before it to go back to"):
        rollout.back(house.given(), "it looks odd")
    assert hub.reigning(house.shelf) is not None
    assert story.told() == []


def test_a_bundle_that_the_runtime_refuses_changes_nothing(house: House) -> None:
    before = house.serving
    bad = house.release(0.52)
    (house.shelf.place(bad.bundle) / "model.onnx").write_bytes(b"swapped")
    with pytest.raises(Fixable, match="altered"):
        house.run()
    assert house.serving == before


def test_one_roll_out_at_a_time(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.release(0.52)
    with story.alone():
        house.run()
    assert "under way in another process" in capsys.readouterr().err
    assert house.steps() == []


@contextmanager
def told() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A webhook that listens."""
    heard: list[dict[str, Any]] = []

    class Ear(Speaker):
        def do_POST(self) -> None:
            heard.append(json.loads(self.body()))
            self.say(200)

    with Listening(Ear) as server:
        yield server.url, heard
