"""Views made of numbers, for tests of training that need no pictures; a program, too, that is killed."""

import sys
from pathlib import Path

import numpy as np
import polars as pl

from pipeline import params
from pipeline.params import Train
from pipeline.train import fit
from pipeline.train.lesson import Lesson, prepared
from pipeline.train.scale import Scale
from pipeline.train.views import Views

SHIPPED = params.load(Path(__file__).parents[2] / "params.yaml").train


def numbers(
    lesson: dict[str, object] | None = None, trainer: dict[str, object] | None = None, **changes: object
) -> Train:
    """The shipped ones, but for these and for sizes fit for a test."""
    small: dict[str, object] = {
        "folds": 3,
        "seeds": 1,
        "weight_decays": (0.1, 1.0),
        "epochs": 12,
        "rates": (0.003,),
    }
    lessons = SHIPPED.lesson.model_copy(update=lesson or {})
    trainers = SHIPPED.trainer.model_copy(update=trainer or {})
    small |= {"hidden": 8, "batch": 64, "lesson": lessons, "trainer": trainers}
    return Train.model_validate(dict(SHIPPED.model_copy(update=small | changes)))


def views(families: int = 60, dim: int = 20, signal: float = 1.5, seed: int = 1, each: int = 4) -> Views:
    """Families of views around one point each; the label shows in the first feature only."""
    rng = np.random.default_rng(seed)
    labels = np.repeat(rng.permutation(np.arange(families) % 2), each)
    points = np.repeat(rng.normal(size=(families, dim)), each, axis=0)
    vectors = points + 0.3 * rng.normal(size=points.shape)
    # Told by its direction alone: no wider than the others, or its mere size would give it away.
    vectors[:, 0] = (vectors[:, 0] + signal * (2 * labels - 1)) / np.sqrt(1 + signal**2)
    names = [f"{place // each}" for place in range(len(labels))]
    frame = pl.DataFrame({"image": names, "family": names, "label": labels.astype(np.int8), "weight": 1.0})
    named = pl.Series("view", [f"2026-01/{place % each}" for place in range(len(labels))])
    return Views(vectors.astype(np.float32), frame.with_columns(named, probability=pl.lit(None, pl.Float64)))


def lesson(**options: object) -> Lesson:
    taught = views()
    return prepared(taught, Scale.of(taught), numbers(dict(options)).lesson, 3, 72)


if __name__ == "__main__":
    fit.fit(views(), Train.model_validate_json(sys.argv[1]))
