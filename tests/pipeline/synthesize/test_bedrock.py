"""The real boto3 client against a server on loopback that knows what Bedrock's image models accept."""

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote

import numpy as np
import pytest
from listening import Listening, Speaker
from PIL import Image

from inference_runtime import preprocess
from inference_runtime.errors import Fixable
from pipeline.params import Synthesize
from pipeline.synthesize.order import Declined, Order, PainterDown, PainterSilent, Painting
from pipeline.synthesize.painters.bedrock import Bedrock

TEXT = "stability.sd3-5-large-v1:0"
INPAINT = "us.stability.stable-image-inpaint-v1:0"
REPLACE = "us.stability.stable-image-search-replace-v1:0"
# Keys a model must and may be given; anything else is refused, as the service does.
MUST = {
    ("text-to-image", TEXT): {"prompt", "mode"},
    ("image-to-image", TEXT): {"prompt", "mode", "image", "strength"},
    (None, INPAINT): {"image", "prompt", "mask"},
    (None, REPLACE): {"image", "prompt", "search_prompt"},
}
MAY = {"seed", "output_format", "negative_prompt", "aspect_ratio", "grow_mask"}


class Service(Listening):
    """Says what `moods` holds first, one a request; paints once they are used up."""

    def __init__(self) -> None:
        super().__init__(Handler)
        self.moods: list[str] = []
        self.asked: list[tuple[str, dict[str, Any]]] = []


class Handler(Speaker):
    server: Service

    def do_POST(self) -> None:
        body = json.loads(self.body())
        model = unquote(self.path.split("/")[2])
        self.server.asked.append((model, body))
        match self.server.moods.pop(0) if self.server.moods else "paints":
            case "throttles":
                self._refuse(429, "ThrottlingException", "Too many requests")
            case "breaks":
                self._refuse(500, "InternalServerException", "try again")
            case "denies":
                self._refuse(403, "AccessDeniedException", "no access to this model")
            case "moderates":
                self.say(200, {"finish_reasons": ["Filter reason: prompt"]})
            case "sleeps":
                threading.Event().wait(3)
            case "paints":
                self._paint(model, body)

    def _paint(self, model: str, body: dict[str, Any]) -> None:
        must = MUST.get((body.get("mode"), model))
        if must is None or not must <= set(body) <= must | MAY:
            return self._refuse(400, "ValidationException", f"Malformed input request: {sorted(body)}")
        for key in {"image", "mask"} & set(body):
            Image.open(io.BytesIO(base64.b64decode(body[key], validate=True))).load()
        picture = io.BytesIO()
        pixels = np.random.default_rng(body["seed"]).integers(0, 255, (24, 32, 3), np.uint8)
        Image.fromarray(pixels).save(picture, "PNG")
        images = [base64.b64encode(picture.getvalue()).decode()]
        return self.say(200, {"images": images, "seeds": [body["seed"]], "finish_reasons": [None]})

    def _refuse(self, status: int, code: str, message: str) -> None:
        self.say(status, {"message": message}, {"x-amzn-ErrorType": code})


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    with Service() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BEDROCK_RUNTIME", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
        yield server


@pytest.fixture
def painter(settings: Callable[..., Synthesize]) -> Bedrock:
    return Bedrock(settings(bedrock={"attempts": 3, "timeout": 1}).bedrock)


Orders = Callable[..., Order]


@pytest.mark.parametrize(
    ("mode", "model", "usd"),
    [("text", TEXT, 0.08), ("image", TEXT, 0.08), ("add", INPAINT, 0.07), ("remove", REPLACE, 0.07)],
)
def test_each_mode_asks_its_model_in_the_models_own_words(
    service: Service, painter: Bedrock, order: Orders, mode: str, model: str, usd: float
) -> None:
    [one] = painter.paint([order("bedrock", mode, label=int(mode != "remove"))])
    assert isinstance(one, Painting), one
    assert (one.model, one.usd) == (model, usd)
    assert preprocess.decode(one.data).shape == (24, 32, 3)
    [(asked, body)] = service.asked
    assert asked == model and body["prompt"]


def test_a_throttled_or_broken_answer_is_asked_for_again(
    service: Service, painter: Bedrock, order: Orders
) -> None:
    service.moods = ["throttles", "breaks"]
    assert isinstance(painter.paint([order("bedrock", "text")])[0], Painting)
    assert len(service.asked) == 3


def test_one_that_goes_on_throttling_is_down_for_tonight(
    service: Service, painter: Bedrock, order: Orders
) -> None:
    service.moods = ["throttles"] * 9
    with pytest.raises(PainterDown, match="ThrottlingException"):
        painter.paint([order("bedrock", "text")])
    assert len(service.asked) == 3  # bounded


def test_moderated_is_declined_and_paid(service: Service, painter: Bedrock, order: Orders) -> None:
    service.moods = ["moderates"]
    assert painter.paint([order("bedrock", "text")]) == [Declined("moderated: Filter reason: prompt", 0.08)]


def test_a_refusal_is_the_operators_to_mend(service: Service, painter: Bedrock, order: Orders) -> None:
    service.moods = ["denies"]
    with pytest.raises(Fixable, match="AccessDeniedException") as refusal:
        painter.paint([order("bedrock", "text")])
    assert not isinstance(refusal.value, PainterDown)


def test_silence_may_have_cost_something(
    service: Service, settings: Callable[..., Synthesize], order: Orders
) -> None:
    service.moods = ["sleeps"] * 2
    with pytest.raises(PainterSilent, match="did not answer in 1 s"):
        Bedrock(settings(bedrock={"attempts": 1, "timeout": 1}).bedrock).paint([order("bedrock", "text")])


def test_without_a_price_there_is_no_budget(settings: Callable[..., Synthesize], order: Orders) -> None:
    with pytest.raises(Fixable, match=r"synthesize\.bedrock\.prices: .* has no price"):
        Bedrock(settings(bedrock={"prices": {}}).bedrock).price(order("bedrock", "text"))
