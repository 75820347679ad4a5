"""The shipped numbers of the stage, a case to paint from, and orders of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline import images, params
from pipeline.params import PainterName, Synthesize
from pipeline.synthesize import prompts
from pipeline.synthesize.order import Mode, Order
from pipeline.world import base, paint, scene

ROOT = Path(__file__).parents[3]


@pytest.fixture
def settings() -> Callable[..., Synthesize]:
    """The shipped section with some values changed, those of a painter by a dictionary."""

    def changed(**given: Any) -> Synthesize:
        values = params.load(ROOT / "params.yaml").synthesize.model_dump()
        for key, value in given.items():
            values[key] = values[key] | value if isinstance(value, dict) else value
        return Synthesize.model_validate(values)

    return changed


@pytest.fixture
def street_case(rooms: Path) -> Callable[[int, int], str]:
    """Puts a painted street into the house and names it."""

    def put(seed: int, label: int) -> str:
        return images.put(base.jpeg(paint.paint(scene.scene(seed, label, {"day", "clear", "us"}))))

    return put


@pytest.fixture
def order(street_case: Callable[[int, int], str]) -> Callable[..., Order]:
    def made(painter: PainterName, mode: Mode, seed: int = 1, label: int = 1, case: str = "") -> Order:
        case = case or street_case(7, 0 if mode == "add" else 1)
        words = prompts.prompt(label, ("night", "rain", "eu"), seed)
        return Order(painter, mode, case, "family", label, ("eu", "night", "rain"), seed, *words)

    return made
