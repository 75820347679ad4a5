"""Bad batches, planted on purpose, are caught; good paintings stay."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from inference_runtime import preprocess
from pipeline import images, samples
from pipeline.params import Backbone, Filter, Synthesize
from pipeline.synthesize import filter as sieve
from pipeline.synthesize import frames
from pipeline.world import base, paint, scene

MANY = 40


def street(seed: int, label: int) -> bytes:
    return base.jpeg(paint.paint(scene.scene(seed, label)))


def jpeg(pixels: np.ndarray, quality: int = 85) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


def rows(data: list[bytes], mode: str = "text", parents: list[str] | None = None) -> pl.DataFrame:
    names = [images.put(one) for one in data]
    given = {"mode": mode, "label": 1, "source": "sdxl"}
    mothers = parents or names
    listed = [given | {"image": n, "parent": p} for n, p in zip(names, mothers, strict=True)]
    return samples.frame(listed, samples.PAINTED)


@pytest.fixture
def real(rooms: Path) -> pl.DataFrame:
    """A few labelled streets, and gold."""
    listed = [
        {
            "image": images.put(street(10_000 + n, n % 2)),
            "source": "gold" if n % 2 else "base",
            "label": n % 2,
        }
        for n in range(2 * MANY)
    ]
    return samples.frame(listed, samples.PULLED)


@pytest.fixture
def strict(settings: Callable[..., Synthesize]) -> Filter:
    return settings().filter


def caught(
    data: list[bytes], real: pl.DataFrame, strict: Filter, tiny: Backbone, **given: object
) -> list[str | None]:
    return sieve.judge(rows(data, **given), real, strict, tiny)  # type: ignore[arg-type]


def test_good_paintings_stay(real: pl.DataFrame, strict: Filter, tiny: Backbone) -> None:
    lost = [why for why in caught([street(n, n % 2) for n in range(MANY)], real, strict, tiny) if why]
    assert len(lost) <= 0.1 * MANY, lost


def test_copies_of_gold_are_caught_however_they_were_saved(
    real: pl.DataFrame, strict: Filter, tiny: Backbone
) -> None:
    dice = np.random.default_rng(0)
    gold = [preprocess.decode(images.read(name)) for name in real.filter(source="gold")["image"]]

    def again(pixels: np.ndarray) -> bytes:
        scale = dice.uniform(0.4, 1.3)
        sized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        lit = np.clip(sized * dice.uniform(0.8, 1.2) + dice.uniform(-15, 15), 0, 255).astype(np.uint8)
        return jpeg(lit[:, ::-1] if dice.random() < 0.5 else lit, int(dice.integers(40, 95)))

    reasons = caught([again(pixels) for pixels in gold], real, strict, tiny)
    assert sum(why == "copy of a gold picture" for why in reasons) >= 0.95 * MANY


def test_a_painting_that_repeats_another_is_caught(
    real: pl.DataFrame, strict: Filter, tiny: Backbone
) -> None:
    one = street(1, 1)
    assert caught([one, jpeg(preprocess.decode(one), 60)], real, strict, tiny) == [
        None,
        "copy of another painting",
    ]


def test_blank_and_blurred_ones_are_caught(real: pl.DataFrame, strict: Filter, tiny: Backbone) -> None:
    grey = [jpeg(np.full((360, 640, 3), level, np.uint8)) for level in range(0, 250, 13)]
    soft = [jpeg(cv2.GaussianBlur(preprocess.decode(street(n, 1)), (0, 0), 9)) for n in range(20)]
    reasons = caught(grey + soft, real, strict, tiny)
    assert all(str(why).startswith("blank") for why in reasons[: len(grey)])
    assert sum(str(why).startswith("blurred") for why in reasons[len(grey) :]) >= 19


def test_an_edit_that_changed_nothing_has_the_wrong_label(
    real: pl.DataFrame, strict: Filter, tiny: Backbone
) -> None:
    """What a painter gives back when it ignored the words: the case again, saved anew."""
    before = [images.put(street(n, 0)) for n in range(MANY)]
    ignored = [frames.jpeg(frames.case(name, 512, 288)) for name in before]
    edited = [_with_cone(frames.case(name, 512, 288)) for name in before]
    # The cases are in the house, of course; an edit may well look like its own.
    here = [{"image": name, "source": "challenge", "label": 0} for name in before]
    real = pl.concat([real, samples.frame(here, samples.PULLED)])
    reasons = caught(ignored, real, strict, tiny, mode="add", parents=before)
    assert sum(str(why).startswith("wrong label") for why in reasons) >= 0.95 * MANY
    kept = caught(edited, real, strict, tiny, mode="add", parents=before)
    assert sum(why is not None for why in kept) <= 0.1 * MANY, kept


def _with_cone(picture: Image.Image) -> bytes:
    ImageDraw.Draw(picture).polygon([(250, 280), (300, 280), (275, 190)], fill=(255, 110, 0))
    return frames.jpeg(picture)


def test_few_labels_ask_no_scorer(real: pl.DataFrame, strict: Filter, tiny: Backbone) -> None:
    assert sieve.strangers(rows([street(1, 1)]), real, strict, tiny) == [None]
