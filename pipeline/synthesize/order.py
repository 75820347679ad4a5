"""What is asked of a painter, whichever it is."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Order:
    """One picture: a variation of a case, with or without roadwork, under its conditions."""

    case: str
    family: str
    label: int
    tags: tuple[str, ...]
    seed: int


Painter = Callable[[Order], bytes]
