"""Labels that people hand in as CSV (image,label,labeler,at)."""

import csv
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline.pull.classes import word

COLUMNS = ("image", "label", "labeler", "at")


def words(file: Path) -> list[dict[str, Any]]:
    with file.open(newline="") as lines:
        reader = csv.DictReader(lines)
        if missing := set(COLUMNS) - set(reader.fieldnames or ()):
            raise Fixable(f"{file}: no column {', '.join(sorted(missing))} in its first line; add it")
        return [_word(file, number, record) for number, record in enumerate(reader, 2)]


def _word(file: Path, number: int, record: dict[str, str]) -> dict[str, Any]:
    label, at = word(record["label"]), moment(record["at"])
    if label is None or at is None or not record["labeler"]:
        raise Fixable(
            f"{file}, line {number}: {', '.join(f'{key} {record[key]!r}' for key in COLUMNS[1:])}: "
            "needs a label 0 or 1, a name and an ISO time; correct it"
        )
    return {
        "image": record["image"],
        "label": label,
        "labeler": record["labeler"],
        "labelled_at": at,
        "via": "csv",
    }


def moment(text: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)
