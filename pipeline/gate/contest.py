"""Both bundles answer the same views, through the runtime that serves them."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime import bundle, preprocess
from inference_runtime.errors import ImageError
from inference_runtime.predictor import Predictor, sigmoid
from pipeline import challenge, features, images
from pipeline.gate.paired import Flags
from pipeline.gate.scores import Labels, Scores
from pipeline.progress import Progress

T = TypeVar("T")
U = TypeVar("U")

AUGMENTED = "2026-01"  # the one profile that throws dice


@dataclass(frozen=True)
class View:
    """A picture as a validator would send it, with what is true of it."""

    image: str
    family: str
    label: int
    source: str
    profile: str
    tags: tuple[str, ...]
    sent: Callable[[], bytes]

    @property
    def level(self) -> int | None:
        """How hard the augmentation was, where there is one."""
        if self.profile != AUGMENTED:
            return None
        return challenge.level_of(challenge.seed_of(self.image, name(self.profile)))


@dataclass(frozen=True)
class Answers:
    """One row per view."""

    labels: Labels
    families: NDArray[np.int64]
    challenger: Scores
    champion: Scores | None

    @property
    def right(self) -> Flags:
        return _right(self.challenger, self.labels)

    @property
    def right_before(self) -> Flags:
        assert self.champion is not None
        return _right(self.champion, self.labels)

    def of(self, rows: NDArray[np.intp]) -> "Answers":
        champion = None if self.champion is None else self.champion[rows]
        return Answers(self.labels[rows], self.families[rows], self.challenger[rows], champion)


def _right(p: Scores, labels: Labels) -> Flags:
    right: Flags = (p > 0.5) == (labels == 1)
    return right


def views(table: pl.DataFrame, profile: str | None = None, turn: int = 0) -> list[View]:
    """One view of each row, in their order; in its own profile or in the one given."""
    rows = table.select("image", "family", "label", "source", "profile", "tags")
    return [
        View(
            image,
            family,
            label,
            source,
            profile or own,
            tuple(tags or ()),
            partial(as_sent, image, profile or own, turn),
        )
        for image, family, label, source, own, tags in rows.iter_rows()
    ]


def met(asked: Sequence[View], export: Path, champion: Path | None, what: str) -> Answers:
    """The answers of both; one that is no number counts as the quiet class, as validators round it."""
    sent = each(lambda view: view.sent(), asked, f"gate: {what} prepared")
    sides = [sigmoid(np.nan_to_num(logits(folder, sent, what))) for folder in (export, champion) if folder]
    families = pl.Series([view.family for view in asked], dtype=pl.String).rank("dense")
    return Answers(
        labels=np.array([view.label for view in asked], np.int8),
        families=families.to_numpy().astype(np.int64),
        challenger=sides[0],
        champion=sides[1] if len(sides) > 1 else None,
    )


def logits(folder: Path, sent: Sequence[bytes], what: str) -> Scores:
    """Of one bundle, through the runtime; NaN where its answer is no number."""
    # A thread a picture, not a picture a core: engines whose threads wait for each other wait by spinning.
    predictor = Predictor(bundle.load(folder), threads=1)
    return np.array(each(partial(_logit, predictor), sent, f"gate: {what} answered"), np.float64)


def _logit(predictor: Predictor, data: bytes) -> float:
    answer = predictor.predict([data])[0]
    if not isinstance(answer, ImageError):
        return answer.logit
    preprocess.decode(data)  # a picture that cannot be read is a fault of ours, not of the model
    return float("nan")


def each(do: Callable[[T], U], items: Sequence[T], what: str) -> list[U]:
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(Progress(pool.map(do, items), what, len(items)))


def name(profile: str, turn: int = 0) -> str:
    return f"{profile}/gate/{turn}"


def as_sent(image: str, profile: str, turn: int = 0) -> bytes:
    """A view as a validator would send it; what one did send goes back as it came."""
    data = images.read(image)
    if profile == features.AS_SENT:
        return data
    return features.sent(preprocess.decode(data), image, name(profile, turn))
