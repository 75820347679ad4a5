"""Where a first answer is doubtful, and how much a second opinion then weighs: the bundle says it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_runtime.errors import BundleError

LOW, HIGH, BLEND = 0.15, 0.85, 0.5
NUMBERS = ("low", "high", "blend")


@dataclass(frozen=True)
class Band:
    low: float = LOW
    high: float = HIGH
    blend: float = BLEND
    question: str | None = None  # for a vision-language model, in place of the usual one

    def __post_init__(self) -> None:
        numbers = [getattr(self, name) for name in NUMBERS]
        if not all(_is_share(one) for one in numbers) or self.low > self.high:
            raise BundleError(
                f"cascade: low {self.low!r}, high {self.high!r}, blend {self.blend!r} are not 0 to 1 with"
                " low up to high; export the bundle again"
            )
        if not isinstance(self.question, str | None):
            raise BundleError(f"cascade.question: {self.question!r} is no text; export the bundle again")

    @classmethod
    def from_json(cls, said: Mapping[str, Any] | None) -> "Band":
        """Of a manifest's `cascade`; what it does not say is as usual."""
        return cls(**{key: said[key] for key in (*NUMBERS, "question") if key in said}) if said else cls()

    def doubts(self, p: float) -> bool:
        return self.low <= p <= self.high


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
