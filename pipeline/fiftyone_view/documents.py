"""A row of ours as FiftyOne shows it."""

from datetime import UTC, datetime
from typing import Any

from pipeline import images
from pipeline.samples import CLASSES


def sample(row: dict[str, Any]) -> Any:
    import fiftyone

    return fiftyone.Sample(
        filepath=str(images.path(row["image"]).absolute()),
        image=row["image"],
        source=row["source"],
        tags=row["tags"],
        ground_truth=given(row),
        prediction=answer(row["p"]),
    )


def given(row: dict[str, Any]) -> Any:
    if row["label"] is None:
        return None
    at = row["labelled_at"]
    return truth(row["label"], row["labeler"], at and at.astimezone(UTC).replace(tzinfo=None))


def truth(label: int, labeler: str, at: datetime | None) -> Any:
    import fiftyone

    word = CLASSES[label]
    return fiftyone.Classification(label=word, labeler=labeler, labelled_at=at, signed=word)


def answer(p: float | None) -> Any:
    import fiftyone

    return (
        None if p is None else fiftyone.Classification(label=CLASSES[int(p > 0.5)], confidence=confidence(p))
    )


def confidence(p: float | None) -> float | None:
    return None if p is None else max(p, 1 - p)


def word(label: int | None) -> str | None:
    return None if label is None else CLASSES[label]


def utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
