"""Doubtful answers go to a second model, within the deadline; else the first answer stands."""

import json
import math
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from listening import Listening, Speaker

from inference_runtime import bundle as bundles
from inference_runtime.band import Band
from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError

Make = Callable[..., Bundle]
Picture = Callable[..., bytes]
BRIGHT, DOUBTFUL, DARK = 250, 140, 5  # p = .98, .60, .02


class Model(Listening):
    """Speaks as vLLM, SGLang and MAX do."""

    def __init__(self) -> None:
        super().__init__(Answering)
        self.asked: list[dict[str, Any]] = []
        self.seconds, self.status, self.odds, self.word = 0.0, 200, {"Yes": 0.9, "No": 0.1}, "Yes"


class Answering(Speaker):
    server: Model

    def do_POST(self) -> None:
        asked = json.loads(self.body())
        self.server.asked.append({"path": self.path, "key": self.headers["Authorization"], **asked})
        time.sleep(self.server.seconds)
        told = [{"token": word, "logprob": math.log(p)} for word, p in self.server.odds.items()]
        said = {
            "choices": [
                {"message": {"content": self.server.word}, "logprobs": {"content": [{"top_logprobs": told}]}}
            ]
        }
        self.say(self.server.status, said)


@pytest.fixture
def model() -> Iterator[Model]:
    with Model() as server:
        yield server


def endpoint(model: Model) -> list[str]:
    return ["--cascade-url", f"{model.url}/v1", "--cascade-model", "seer"]


def test_only_what_is_doubtful_is_asked_twice_and_blended(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], model: Model
) -> None:
    alone = start(make_bundle("alone"))
    server = start(make_bundle("first"), more=endpoint(model))
    for grey, stage in ((BRIGHT, "first"), (DARK, "first"), (DOUBTFUL, "second")):
        data = make_picture(grey)
        p, said = alone.predict(data)[1]["p"], server.predict(data)[1]
        assert said["stage"] == stage
        assert said["p"] == pytest.approx(p if stage == "first" else p + 0.5 * (0.9 - p), abs=1e-6)
    (asked,) = model.asked
    assert (asked["path"], asked["model"]) == ("/v1/chat/completions", "seer")
    text, picture = asked["messages"][0]["content"]
    assert "roadwork" in text["text"] and picture["image_url"]["url"].startswith("data:image/jpeg;base64,")
    (kept,) = (entry for entry in server.entries() if entry.id == said["entry"])
    assert (kept.p, kept.first, kept.second, kept.by) == (said["p"], pytest.approx(p), 0.9, "seer")
    others = [entry for entry in server.entries() if entry.id != kept.id]
    assert others and {(one.first, one.second, one.by) for one in others} == {(None, None, None)}


def test_a_model_that_tells_no_odds_is_taken_at_its_word(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], model: Model
) -> None:
    server = start(make_bundle(), more=endpoint(model))
    model.odds, model.word = {}, " no."
    assert server.predict(make_picture(DOUBTFUL))[1]["p"] < 0.35
    model.word = "perhaps"
    assert server.predict(make_picture(DOUBTFUL, seed=1))[1]["stage"] == "first"


def test_the_deadline_is_kept_and_the_first_answer_stands(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], model: Model
) -> None:
    server = start(make_bundle(), more=endpoint(model))
    model.seconds = 5.0
    started = time.monotonic()
    status, said = server.ask("POST", "/v1/predict", make_picture(DOUBTFUL), **{"X-Deadline-Ms": "600"})
    assert (status, said["stage"]) == (200, "first")
    assert time.monotonic() - started < 4


def test_a_model_that_is_down_or_fails_costs_nothing(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], model: Model
) -> None:
    server = start(make_bundle(), more=endpoint(model))
    model.status = 500
    assert server.predict(make_picture(DOUBTFUL))[1]["stage"] == "first"
    model.shutdown()
    model.server_close()
    status, said = server.predict(make_picture(DOUBTFUL, seed=1))
    assert (status, said["stage"]) == (200, "first")


def test_a_second_bundle_answers_too(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any]
) -> None:
    second = make_bundle("second", 20.0)
    server = start(make_bundle("first"), more=["--cascade-bundle", str(second.folder)])
    one, other = start(make_bundle("same")), start(make_bundle("as second", 20.0))
    data = make_picture(DOUBTFUL)
    wanted = (one.predict(data)[1]["p"] + other.predict(data)[1]["p"]) / 2
    said = server.predict(data)[1]
    assert said["p"] == pytest.approx(wanted, abs=1e-6)
    assert {entry.by for entry in server.entries() if entry.id == said["entry"]} == {second.id}


def test_bundles_are_compared_without_the_second_opinion_that_only_one_of_them_got(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], model: Model
) -> None:
    told = make_bundle("told", cascade={"blend": 1.0})
    server = start(told, more=endpoint(model))
    model.odds = {"Yes": 0.01, "No": 0.99}
    shadow = make_bundle("shadow", 8.1)
    assert server.order("POST", "bundles", path=str(shadow.folder), role="shadow")[0] == 200
    for seed in range(4):
        assert server.predict(make_picture(DOUBTFUL, seed=seed))[1]["p"] < 0.1
    until = time.monotonic() + 20
    while (seen := server.order("GET", "comparison")[1])["both"] + seen["dropped"] < 4:
        assert time.monotonic() < until
        time.sleep(0.05)
    assert seen["both"] and seen["disagree"] == 0


def test_the_bundle_says_the_band_and_the_blend(make_bundle: Make) -> None:
    usual, told = make_bundle("usual"), make_bundle("told", cascade={"low": 0.4, "high": 0.6, "blend": 0.25})
    assert usual.band == Band(0.15, 0.85, 0.5)
    assert bundles.load(told.folder).band == Band(0.4, 0.6, 0.25)
    assert [told.band.doubts(p) for p in (0.39, 0.4, 0.6, 0.61)] == [False, True, True, False]
    assert told.id != usual.id, "it changes what a bundle answers"
    for n, wrong in enumerate(({"low": "a"}, {"high": 1.5}, {"blend": -0.1}, {"low": 0.9}, {"question": 7})):
        with pytest.raises(BundleError, match=r"cascade.*export the bundle again"):
            make_bundle(f"wrong {n}", cascade=wrong)


def test_a_band_that_was_sealed_is_the_one_that_serves(
    make_bundle: Make, make_picture: Picture, start: Callable[..., Any], model: Model
) -> None:
    told = make_bundle("told", cascade={"low": 0.3, "high": 0.55, "blend": 1.0, "question": "Cones?"})
    alone, server = start(make_bundle("alone")), start(told, more=endpoint(model))
    above, inside = make_picture(DOUBTFUL), make_picture(125)
    assert server.predict(above)[1]["p"] == pytest.approx(alone.predict(above)[1]["p"], abs=1e-6)
    said = server.predict(inside)[1]
    assert (said["stage"], said["p"]) == ("second", pytest.approx(0.9, abs=1e-6))
    assert [asked["messages"][0]["content"][0]["text"] for asked in model.asked] == ["Cones?"]
