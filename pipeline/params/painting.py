"""What painters paint, with what, and what it may cost."""

from typing import Annotated, Literal

from pydantic import Field

from pipeline.params.section import Count, Money, Positive, Section, Share

PainterName = Literal["procedural", "sdxl", "bedrock", "cosmos", "cosmos_service"]
Size = Annotated[int, Field(ge=16, multiple_of=8)]


class Sdxl(Section):
    model: str
    revision: str | None
    lora: str | None
    steps: Positive
    guidance: float
    strength: Share
    width: Size
    height: Size
    batch: Positive
    offload: bool


class Bedrock(Section):
    region: str
    text: str
    image: str
    add: str
    remove: str
    strength: Share
    attempts: Positive
    timeout: Positive
    prices: dict[str, Money]


class Cosmos(Section):
    model: str
    revision: str | None
    control: Literal["edge"]
    control_revision: str | None
    steps: Positive
    guidance: float
    width: Size
    height: Size
    offload: bool


class CosmosService(Section):
    url: str
    resolution: str
    steps: Positive
    guidance: float
    timeout: Positive
    usd: Money


class Captions(Section):
    url: str | None
    model: str
    timeout: Positive


class Filter(Section):
    min_contrast: float
    min_sharpness: float
    near: Share
    stray: Share
    disagree: Share
    unchanged: Share


class Synthesize(Section):
    painters: Annotated[tuple[PainterName, ...], Field(strict=False)]
    images: Count
    seconds: Positive
    usd: Money
    aim: Share
    seed: int
    filter: Filter
    captions: Captions
    sdxl: Sdxl
    bedrock: Bedrock
    cosmos: Cosmos
    cosmos_service: CosmosService
