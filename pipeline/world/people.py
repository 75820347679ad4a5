"""What people would say of the challenges they are shown: what they see, which is not always what is paid."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Answer:
    label: int
    tags: tuple[str, ...]


def answers(images: Iterable[str], truth: Path) -> dict[str, Answer]:
    """By image, for those the ledger knows. Roadwork that the crop cut away is roadwork nobody can see."""
    wanted = set(images)
    if not wanted or not truth.exists():
        return {}
    with truth.open() as ledger:
        lines = [json.loads(line) for line in ledger if line.endswith("\n")]
    return {
        line["image"]: Answer(int(line["seen"]), tuple(sorted(line["tags"])))
        for line in lines
        if line["image"] in wanted
    }
