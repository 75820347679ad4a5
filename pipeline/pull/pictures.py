"""Pictures of the journal, brought home many at once, each once."""

import os
from collections.abc import Iterator
from functools import partial

import polars as pl

from inference_runtime.errors import ImageError
from pipeline import images
from pipeline.progress import Progress
from pipeline.pull.at_once import each
from pipeline.store import Store


def missing(wanted: pl.Series) -> list[str]:
    """Which of these are not home, without asking for each: there may be a million."""
    here = pl.Series("image", list(_home()), dtype=pl.String)
    return sorted(wanted.filter(~wanted.is_in(here.implode())))


def fetch(shelf: Store, names: list[str], connections: int) -> dict[str, str]:
    """Brings these home; of those that could not come, why."""
    outcomes = zip(names, each(partial(_fetch, shelf), names, connections), strict=True)
    counted = Progress(outcomes, "pull: new pictures", total=len(names))
    return {image: reason for image, reason in counted if reason is not None}


def _fetch(shelf: Store, image: str) -> str | None:
    name = f"images/{image[:2]}/{image}.jpg"
    try:
        data = shelf.read(name)
        if images.name(data) != image:
            return f"{name}: its bytes do not match its name"
        images.admit(data)
    except (ImageError, FileNotFoundError) as error:
        return f"{name}: {error}"
    return None


def _home() -> Iterator[str]:
    for folder in images.root().glob("[0-9a-f][0-9a-f]"):
        # A Path for each of a million names would take longer than all else here.
        yield from (name.removesuffix(".jpg") for name in os.listdir(folder))  # noqa: PTH208
