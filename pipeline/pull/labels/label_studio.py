"""Labels out of Label Studio: its exports JSON and JSON-MIN, each with who and when.

A task shows one picture of ours, known by the 64 hex digits of its name, somewhere in the task's data.
Skipped tasks and cancelled annotations say nothing, nor do choices that are neither class ("unsure").
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline.pull.classes import word
from pipeline.pull.labels.tables import moment

VIA = "label-studio"
NAME = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
# What JSON-MIN puts beside the task's own data.
ABOUT = {"id", "annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement"}


def words(file: Path) -> list[dict[str, Any]]:
    try:
        tasks = json.loads(file.read_text())
    except ValueError as error:
        raise Fixable(f"{file}: {error}; export it again") from None
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise Fixable(f"{file}: is no list of tasks; export the project as JSON or JSON-MIN")
    return [said for number, task in enumerate(tasks, 1) for said in _of_task(f"{file}, task {number}", task)]


def _of_task(place: str, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "annotations" not in task:
        yield from _short(place, task)
        return
    image = _image(place, task.get("data", {}))
    for one in task["annotations"]:
        label = None if one.get("was_cancelled") else _chosen(one.get("result", []))
        if label is not None:
            yield _word(place, image, label, one.get("completed_by"), one)


def _short(place: str, task: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """JSON-MIN: data, answer and annotator side by side."""
    image = _image(place, task)
    said = {word(value) for key, value in task.items() if key not in ABOUT and isinstance(value, str)} - {
        None
    }
    if len(said) == 1:
        yield _word(place, image, said.pop(), task.get("annotator"), task)


def _word(place: str, image: str, label: int | None, who: Any, about: dict[str, Any]) -> dict[str, Any]:
    at = moment(about.get("updated_at") or about.get("created_at"))
    name = who.get("email") or who.get("id") if isinstance(who, dict) else who
    if at is None or name in (None, ""):
        raise Fixable(
            f"{place}: does not say who labelled it and when; export it with completed_by and updated_at"
        )
    return {"image": image, "label": label, "labeler": str(name), "labelled_at": at, "via": VIA}


def _chosen(result: list[dict[str, Any]]) -> int | None:
    said = {word(choice) for part in result for choice in part.get("value", {}).get("choices", [])} - {None}
    return said.pop() if len(said) == 1 else None


def _image(place: str, data: dict[str, Any]) -> str:
    texts = [value for value in data.values() if isinstance(value, str)]
    named = {str(name) for text in texts for name in NAME.findall(text)}
    if len(named) != 1:
        raise Fixable(
            f"{place}: names {len(named)} pictures of ours; a task shows one, by its file's own name"
        )
    return named.pop()
