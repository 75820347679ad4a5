"""COCO annotations as the ROADWork dataset has them: objects of a work zone, drawn into street photos.

A picture with at least one such object is roadwork, a picture that is listed without any is clear.
"""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline.pull.base.offer import Offers, of_file

KEYS = ("images", "annotations", "categories")
# They are annotated in ROADWork and stand in streets where nobody works.
NOT_ROADWORK = {"police-officer", "police-vehicle", "bike-lane"}
BESIDE = ("", "images", "../images", "../images/train", "../images/val")


def offers(folder: Path) -> Offers:
    for file in found(folder):
        yield from _offers(folder, file, json.loads(file.read_text()))


def found(folder: Path) -> list[Path]:
    return [file for file in sorted(folder.rglob("*.json")) if _is_coco(file)]


def _offers(folder: Path, file: Path, said: dict[str, Any]) -> Offers:
    objects = _objects(file, said)
    places = [file.parent / beside for beside in BESIDE] + [folder, folder / "images"]
    for number, image in enumerate(said["images"], 1):
        tags = objects[image["id"]] | _scene(image)
        is_roadwork = bool(objects[image["id"]] - NOT_ROADWORK)
        picture = _picture(places, image["file_name"])
        yield of_file(picture, (str(file), number), image["file_name"], int(is_roadwork), sorted(tags))


def _objects(file: Path, said: dict[str, Any]) -> defaultdict[int, set[str]]:
    """Of each image the names of what was drawn into it."""
    try:
        names = {one["id"]: _tag(one["name"]) for one in said["categories"]}
        found: defaultdict[int, set[str]] = defaultdict(set)
        for one in said["annotations"]:
            found[one["image_id"]].add(names[one["category_id"]])
    except KeyError as error:
        raise Fixable(f"{file}: {error} is missing in it; export the annotations again, as COCO") from None
    return found


def _scene(image: dict[str, Any]) -> set[str]:
    """What ROADWork says of the whole scene: weather, daytime, surroundings."""
    told = image.get("scene_level_tags") or {}
    words = [told.get(key) for key in ("daytime", "weather", "scene_environment")]
    return {_tag(word) for word in words if isinstance(word, str) and _tag(word) not in ("", "unknown")}


def _tag(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _picture(places: list[Path], name: str) -> Path:
    there = (place / name for place in places if (place / name).is_file())
    return next(there, places[0] / name)


def _is_coco(file: Path) -> bool:
    data = file.read_bytes()  # a search, for reading as JSON takes a hundred times as long
    return data[:1] == b"{" and all(f'"{key}"'.encode() in data for key in KEYS)
