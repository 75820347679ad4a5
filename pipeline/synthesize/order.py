"""What is asked of a painter, and what it gives back, whichever it is."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Literal, Protocol

from inference_runtime.errors import Fixable
from pipeline.params import PainterName

# From words alone; from the case, kept in its structure; the case with roadwork put into it, or taken out.
Mode = Literal["text", "image", "add", "remove"]


@dataclass(frozen=True)
class Order:
    """One picture: a variation of a case, with or without roadwork, under the wanted conditions."""

    painter: PainterName
    mode: Mode
    case: str
    family: str
    label: int
    tags: tuple[str, ...]
    seed: int
    prompt: str
    negative: str

    def key(self, settings: str) -> str:
        """The same order under the same settings of its painter is the same painting, and made once.

        Its words are left out: they follow from the rest, but for a caption that may be had tonight or not.
        """
        facts = {name: value for name, value in asdict(self).items() if name not in ("prompt", "negative")}
        text = json.dumps([facts, settings], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Painting:
    data: bytes
    model: str
    revision: str | None
    usd: float


@dataclass(frozen=True)
class Declined:
    """The painter looked at the order and will not paint it, however often it is asked."""

    reason: str
    usd: float


class PainterDown(Fixable):
    """The painter does not answer tonight; the others may."""


class PainterSilent(PainterDown):
    """As down, but it may have painted, and be paid for it."""


class Painter(Protocol):
    modes: frozenset[Mode]
    batch: int  # orders it takes at once

    def price(self, order: Order) -> float:
        """What it costs in USD at the most."""

    def paint(self, orders: Sequence[Order]) -> list[Painting | Declined]:
        """One for each, in that order."""
