"""What waits for people, as tags on samples; the words are those that `pipeline/marks.py` writes."""

from collections import Counter
from datetime import UTC, datetime
from typing import Any

CASE, SUSPECT, FAULT, ASKED = "case", "suspect", "fault", "asked"
QUEUE = (CASE, SUSPECT, ASKED)
CONFIRMED = "confirmed"  # what a person says of a label in doubt that is right
CLASSES = ("clear", "roadwork")


def say(samples: Any, label: str, who: str) -> int:
    """Labels these samples, signed and dated; they wait no longer. The next `pull` takes the word home."""
    import fiftyone

    at = datetime.now(UTC).replace(tzinfo=None)
    count = samples.match({}).count()
    words = [
        fiftyone.Classification(label=label, labeler=who, labelled_at=at, signed=label) for _ in range(count)
    ]
    samples.set_values("ground_truth", words)
    done(samples)
    return int(count)


def done(samples: Any) -> None:
    samples.untag_samples(list(QUEUE))


def confirm(samples: Any) -> int:
    """The label stands, whatever the models think of it."""
    samples.tag_samples(CONFIRMED)
    done(samples)
    return int(samples.match({}).count())


def ask(samples: Any) -> int:
    samples.tag_samples(ASKED)
    return int(samples.match({}).count())


def waiting(dataset: Any) -> dict[str, int]:
    """How many of each kind wait."""
    counts = dataset.count_sample_tags()
    return {tag: int(counts.get(tag, 0)) for tag in (CASE, SUSPECT, ASKED, FAULT)}


def picked(dataset: Any) -> dict[str, int]:
    """Why mine picked the cases that wait, the commonest reason first."""
    reasons = dataset.match_tags(CASE).values("reason")
    return dict(Counter(str(reason) for reason in reasons).most_common())


def progress(dataset: Any) -> tuple[int, int]:
    """Cases that have a label since they were picked, and all of them."""
    cases = dataset.match_tags(CASE)
    return int(cases.exists("ground_truth.label").count()), int(cases.count())
