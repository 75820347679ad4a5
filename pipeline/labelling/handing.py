"""The queue, carried to Label Studio and back. What comes back lies where `pull` reads it."""

import base64
import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline import drafts, images
from pipeline.samples import CLASSES

FORM = """<View>
  <Image name="image" value="$image"/>
  <Choices name="label" toName="image" choice="single" showInLine="true">
    <Choice value="roadwork" hotkey="r"/>
    <Choice value="clear" hotkey="c"/>
    <Choice value="unsure" hotkey="u"/>
  </Choices>
</View>
"""


def exported(tasks: Sequence[dict[str, Any]], file: Path, prefix: str | None) -> str:
    """Tasks, and beside them the form to label them with."""
    drafts.write(file, json.dumps([_task(one, prefix) for one in tasks], indent=1).encode())
    form = file.with_suffix(".xml")
    drafts.write(form, FORM.encode())
    return (
        f"{file}: {len(tasks)} tasks; in Label Studio use {form} as the labelling interface, then import it"
    )


def _task(one: dict[str, Any], prefix: str | None) -> dict[str, Any]:
    """`name` is how the answer finds its picture again."""
    name = f"{one['image']}.jpg"
    shown = _embedded(one["image"]) if prefix is None else f"{prefix.rstrip('/')}/{name[:2]}/{name}"
    task: dict[str, Any] = {"data": {"image": shown, "name": name, "why": one["why"]}}
    if one["label"] is not None:
        task["data"]["said"] = f"so far: {CLASSES[one['label']]}"
    if one["p"] is not None:
        task["predictions"] = [_guess(one["p"])]
    return task


def _guess(p: float) -> dict[str, Any]:
    choice = {"choices": [CLASSES[int(p > 0.5)]]}
    result = {"from_name": "label", "to_name": "image", "type": "choices", "value": choice}
    return {"model_version": "retrain-72", "score": round(max(p, 1 - p), 4), "result": [result]}


def _embedded(image: str) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(images.read(image)).decode()


def imported(file: Path, folder: Path) -> str:
    """A copy of the file where `pull` looks for labels; the same file twice is one."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        raise Fixable(f"{file}: not found") from None
    _refuse_stranger(file, data)
    kept = folder / f"{file.stem}-{hashlib.sha256(data).hexdigest()[:12]}{file.suffix.lower()}"
    if not kept.exists():
        drafts.write(kept, data)
    return f"{kept}: the next `pull` reads it"


def _refuse_stranger(file: Path, data: bytes) -> None:
    """Only what `pull` could read at all; what single lines say, it judges itself."""
    try:
        match file.suffix.lower():
            case ".json":
                known = isinstance(json.loads(data), list)
            case ".csv":
                known = {"image", "label"} <= set(next(csv.reader(data.decode().splitlines()), []))
            case _:
                known = False
    except ValueError:
        known = False
    if not known:
        raise Fixable(
            f"{file}: neither a JSON export of Label Studio nor CSV (image,label,labeler,at); export it again"
        )
