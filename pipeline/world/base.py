"""Writes a labelled set of pictures: a folder of JPEGs and labels.csv (file,label,tags)."""

import csv
import io
from pathlib import Path

import cv2

from pipeline import drafts
from pipeline.challenge import Pixels, seed_of
from pipeline.progress import Progress
from pipeline.world.paint import paint
from pipeline.world.scene import Scene, scene, tags

# Part of every file's name: raise it when the same seed may give another picture than before.
VERSION = 1
QUALITY = 90


def write_base(folder: Path, count: int, seed: int, mix: str = "base") -> Path:
    """`count` pictures, half of them with roadwork; the same seed gives the same bytes.

    Pictures that are there already are kept, so a killed or a grown set goes on where it stood; the listing
    comes last and names exactly what was asked for.
    """
    scenes = {_file(mix, seed, index): nth(seed, index, mix) for index in range(count)}
    missing = [file for file in scenes if not (folder / file).exists()]
    for file in Progress(missing, f"world: pictures for {folder}"):
        drafts.write(folder / file, jpeg(paint(scenes[file])))
    drafts.write(folder / "labels.csv", _listing(scenes))
    return folder


def nth(seed: int, index: int, mix: str) -> Scene:
    """Labels alternate, so that every beginning of a set is balanced."""
    return scene(seed_of(str(seed), f"{mix}/{index}"), index % 2, mix=mix)


def jpeg(pixels: Pixels) -> bytes:
    """As a camera would store the whole frame: better than what goes over the wire."""
    return bytes(cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1])


def _file(mix: str, seed: int, index: int) -> str:
    return f"images/{mix}-{seed}-v{VERSION}-{index:05d}.jpg"


def _listing(scenes: dict[str, Scene]) -> bytes:
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(("file", "label", "tags"))
    rows.writerows((file, scene.label, " ".join(tags(scene))) for file, scene in scenes.items())
    return text.getvalue().encode()
