"""Stability's image models on Amazon Bedrock: from words, from a case, at a mask, by search and replace."""

import base64
import json
import time
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from inference_runtime.errors import Fixable
from pipeline import params
from pipeline.synthesize import frames
from pipeline.synthesize.order import Declined, Mode, Order, PainterDown, PainterSilent, Painting

WIDTH, HEIGHT = 1344, 768
ASPECT = "16:9"
SEEDS = 2**32  # what the models take
# What is looked for in a case that must lose its roadwork.
ROADWORK = "traffic cones, barriers, construction signs, excavators and road workers"
REFUSED = {
    "AccessDeniedException",
    "ValidationException",
    "ResourceNotFoundException",
    "UnrecognizedClientException",
}
BUSY = {
    "ThrottlingException",
    "InternalServerException",
    "ServiceUnavailableException",
    "ModelNotReadyException",
}
PATIENCE = 0.25  # seconds; doubled from try to try


class Busy(PainterDown):
    """Turned away before anything was painted."""


class Bedrock:
    modes: frozenset[Mode] = frozenset({"text", "image", "add", "remove"})
    batch = 1

    def __init__(self, settings: params.Bedrock) -> None:
        self._settings = settings

    def price(self, order: Order) -> float:
        model = self._model(order)
        try:
            return self._settings.prices[model]
        except KeyError:
            raise Fixable(
                f"params.yaml: synthesize.bedrock.prices: {model} has no price; without one no budget holds"
            ) from None

    def paint(self, orders: Sequence[Order]) -> list[Painting | Declined]:
        return [self._painted(order) for order in orders]

    def _model(self, order: Order) -> str:
        return str(getattr(self._settings, order.mode))

    def _painted(self, order: Order) -> Painting | Declined:
        said = self._patiently(self._model(order), json.dumps(self._body(order)))
        usd = self.price(order)
        if reason := next(filter(None, said.get("finish_reasons") or []), None):
            return Declined(f"moderated: {reason}", usd)
        if not said.get("images"):
            return Declined("answered without a picture", usd)
        return Painting(base64.b64decode(said["images"][0]), self._model(order), None, usd)

    def _body(self, order: Order) -> dict[str, Any]:
        shared = {"prompt": order.prompt, "seed": order.seed % SEEDS, "output_format": "png"}
        if order.mode == "text":
            return shared | {
                "mode": "text-to-image",
                "aspect_ratio": ASPECT,
                "negative_prompt": order.negative,
            }
        case = frames.case(order.case, WIDTH, HEIGHT)
        shared |= {"image": _base64(frames.jpeg(case)), "negative_prompt": order.negative}
        match order.mode:
            case "image":
                return shared | {"mode": "image-to-image", "strength": self._settings.strength}
            case "add":
                mask = frames.png(frames.spot(case.width, case.height, order.seed))
                return shared | {"mask": _base64(mask), "grow_mask": 5}
            case _:
                return shared | {"search_prompt": ROADWORK}

    def _patiently(self, model: str, body: str) -> dict[str, Any]:
        """Asks again what was turned away at the door; boto3 would repeat lost answers, and pay twice."""
        for attempt in range(1, self._settings.attempts):
            try:
                return self._invoke(model, body)
            except Busy:
                time.sleep(PATIENCE * 2**attempt)
        return self._invoke(model, body)

    def _invoke(self, model: str, body: str) -> dict[str, Any]:
        from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ReadTimeoutError

        try:
            answer = self._client.invoke_model(modelId=model, body=body)
            return dict(json.loads(answer["body"].read()))
        except ClientError as error:
            raise _complaint(model, error.response["Error"]) from None
        except NoCredentialsError:
            raise Fixable(
                "bedrock: no AWS credentials; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            ) from None
        except ReadTimeoutError:
            raise PainterSilent(f"bedrock: {model} did not answer in {self._settings.timeout} s") from None
        except BotoCoreError as error:
            raise PainterDown(f"bedrock: {error}") from None

    @cached_property
    def _client(self) -> Any:
        import boto3
        from botocore.config import Config

        settings = self._settings
        once = {"total_max_attempts": 1}
        waits = Config(region_name=settings.region, retries=once, read_timeout=settings.timeout)
        return boto3.session.Session().client("bedrock-runtime", config=waits)


def _complaint(model: str, error: dict[str, str]) -> Fixable:
    """A refusal is the operator's to mend; all else passes by itself."""
    line = f"bedrock: {model}: {error.get('Code')}: {error.get('Message')}"
    match error.get("Code"):
        case code if code in REFUSED:
            return Fixable(line)
        case code if code in BUSY:
            return Busy(line)
    return PainterDown(line)


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()
