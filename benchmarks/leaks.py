"""Does the same street on both sides of a split get caught, and what is merged wrongly for it?

python -m benchmarks.leaks [--quick] [--data FOLDER]

Painted streets, and the photos of FOLDER (index.csv: file,label,source) where it is given, are planted again
as validators' crops, as a frame of a burst a metre on, re-encoded and shrunk. All pictures are then searched
as `assemble` searches them. The threshold is read off one half of the streets and judged on the other: recall
is the share of planted pictures that stand in one family with their frame; a false merge is a pair found
between two streets (painted ones), or two cities (photos).
"""

import argparse
import csv
import json
import os
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from benchmarks import results_file
from benchmarks.leaks_plot import plot
from inference_runtime import preprocess
from pipeline import challenge, features, images, params
from pipeline.challenge import Pixels
from pipeline.kin import families, register, search
from pipeline.params import Kin
from pipeline.progress import Progress
from pipeline.world.paint import paint
from pipeline.world.scene import Scene, scene
from pipeline.world.thing import Thing

ROOT = Path(__file__).parent.parent
FRAME = "2026-01"
HALF = pl.col("street").str.extract(r"(\d+)\D*$").cast(pl.Int64) % 2  # of the streets, by their number
Row = dict[str, Any]
SCHEMA = dict.fromkeys(("image", "profile", "source", "street", "place", "kind"), pl.String)


def main(data: Path | None, quick: bool) -> None:
    numbers = params.load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        places = {"IMAGES": "images", "FEATURES": "features", "KIN": "kin.sqlite"}
        os.environ |= {name: f"{folder}/{place}" for name, place in places.items()}
        rows = list(painted(40 if quick else 400))
        if data:
            rows += photos(data, every=12 if quick else 2)
        table = pl.DataFrame(rows, schema=SCHEMA).unique("image", keep="first", maintain_order=True)
        loosest = numbers.kin.model_copy(update={"likeness": register.WORTH})
        pairs = search.pairs(table, loosest, numbers.backbone)
    figures, told = judged(table, pairs, numbers.kin)
    show(told, figures)
    if not quick:
        results_file.write("leaks", figures, told)
        plot(curve(table, pairs), numbers.kin.likeness, ROOT / "benchmarks" / "results" / "leaks.png")
    print(json.dumps(figures))


def painted(count: int) -> Iterator[Row]:
    for number in Progress(range(count), "leaks: streets"):
        one = scene(
            challenge.seed_of("leaks", str(number)), number % 2, mix="traffic" if number % 3 else "base"
        )
        later = drive(one, float(np.random.default_rng(number).uniform(0.3, 1.2)))
        street = f"painted {number}"
        yield from planted(paint(one), street, street)
        yield row(encoded(paint(later), 90), FRAME, street, street, "burst")


def drive(one: Scene, metres: float) -> Scene:
    """The same street a moment later; traffic has moved as well."""

    def nearer(things: tuple[Thing, ...], way: float) -> tuple[Thing, ...]:
        return tuple(replace(thing, z=thing.z - way) for thing in things if thing.z - way > 2)

    return replace(
        one,
        scenery=nearer(one.scenery, metres),
        lookalikes=nearer(one.lookalikes, metres),
        works=nearer(one.works, metres),
        traffic=nearer(one.traffic, 0.6 * metres),
    )


def photos(data: Path, every: int) -> Iterator[Row]:
    with (data / "index.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))[::every]
    for record in Progress(listed, "leaks: photos"):
        pixels = preprocess.decode((data / record["file"]).read_bytes())
        yield from planted(pixels, record["file"], record["source"])


def planted(frame: Pixels, street: str, place: str) -> Iterator[Row]:
    """The frame, two crops of it as validators send them, and two copies."""
    whole = encoded(frame, 90)
    yield row(whole, FRAME, street, place, "frame")
    for turn in range(2):
        seed = challenge.seed_of(images.name(whole), f"planted/{turn}")
        sent = challenge.encode(challenge.view(frame, FRAME, seed))
        yield row(sent, features.AS_SENT, street, place, f"crop, level {challenge.level_of(seed)}")
    half = cv2.resize(frame, (frame.shape[1] // 2, frame.shape[0] // 2), interpolation=cv2.INTER_AREA)
    yield row(encoded(frame, 50), FRAME, street, place, "re-encoded")
    yield row(encoded(half, 75), FRAME, street, place, "half size")


def row(data: bytes, profile: str, street: str, place: str, kind: str) -> Row:
    facts = {"profile": profile, "source": "base", "street": street, "place": place, "kind": kind}
    return {"image": images.put(data), **facts}


def encoded(pixels: Pixels, quality: int) -> bytes:
    return bytes(cv2.imencode(".jpg", pixels[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def judged(table: pl.DataFrame, pairs: pl.DataFrame, kin: Kin) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures of the threshold in params.yaml, and those of the half that it was not read off by
    themselves."""
    rows = [part(table, pairs, kin.likeness, name) for name in sorted(set(kinds(table)["kind"]) - {"frame"})]
    held = table.filter(HALF == 1)
    ours, held_out = measured(table, pairs, kin.likeness), measured(held, pairs, kin.likeness)
    best = read_off(table.filter(HALF == 0), pairs)
    figures = {
        "pictures": table.height,
        "threshold": kin.likeness,
        "read_off": best,
        "recall": round(ours["recall"], 4),
        "recall_held_out": round(held_out["recall"], 4),
        "false_merge_rate": ours["false_rate"],
        "false_merges": ours["false"],
        "strangers": ours["strangers"],
        "false_upper_95": (ours["false"] + 3) / ours["strangers"],
    }
    return figures, rows


def part(table: pl.DataFrame, pairs: pl.DataFrame, likeness: float, kind: str) -> dict[str, Any]:
    named = kinds(table)
    found = measured(named.filter(pl.col("kind").is_in(["frame", kind])), pairs, likeness)
    return {"planted": kind, "pictures": named.filter(kind=kind).height, "recall": round(found["recall"], 4)}


def kinds(table: pl.DataFrame) -> pl.DataFrame:
    """Photos by themselves: among frames of one clip every frame is kin of every other."""
    photo = ~pl.col("place").str.starts_with("painted")
    kind = pl.col("kind")
    return table.with_columns(
        kind=pl.when(photo & (kind != "frame")).then(pl.lit("photos: ") + kind).otherwise(kind)
    )


def measured(table: pl.DataFrame, pairs: pl.DataFrame, likeness: float) -> dict[str, Any]:
    held = pairs.filter(
        (pl.col("likeness") >= likeness)
        & pl.col("one").is_in(table["image"].to_list())
        & pl.col("other").is_in(table["image"].to_list())
    )
    alone = table.with_columns(family="image", labelled_at=pl.lit(None, pl.Datetime("us", "UTC")))
    family = dict(families.merged(alone, held).select("image", "family").iter_rows())
    frames = dict(table.filter(kind="frame").select("street", "image").iter_rows())
    others = table.filter((pl.col("kind") != "frame") & pl.col("street").is_in(list(frames)))
    caught = [
        family[image] == family[frames[street]]
        for image, street in others.select("image", "street").iter_rows()
    ]
    place = dict(table.select("image", "place").iter_rows())
    wrong = sum(place[one] != place[other] for one, other in held.select("one", "other").iter_rows())
    sizes = table.group_by("place").len()["len"].to_numpy()
    strangers = (table.height**2 - int((sizes**2).sum())) // 2
    return {
        "recall": float(np.mean(caught)) if caught else 1.0,
        "false": int(wrong),
        "strangers": int(strangers),
        "false_rate": float(wrong / max(strangers, 1)),
    }


def read_off(table: pl.DataFrame, pairs: pl.DataFrame) -> float:
    """The lowest threshold without a false merge."""
    place = dict(table.select("image", "place").iter_rows())
    wrong = [
        likeness
        for one, other, likeness in pairs.iter_rows()
        if one in place and other in place and place[one] != place[other]
    ]
    return round(max(wrong, default=register.WORTH) + 0.005, 2)


def curve(table: pl.DataFrame, pairs: pl.DataFrame) -> list[dict[str, Any]]:
    steps = np.arange(0.56, 0.96, 0.02)
    return [{"likeness": float(step), **measured(table, pairs, float(step))} for step in steps]


def show(rows: list[dict[str, Any]], figures: dict[str, Any]) -> None:
    print(f"\n{'planted':<28}{'pictures':>9}{'recall':>9}")
    for one in rows:
        print(f"{one['planted']:<28}{one['pictures']:>9,}{one['recall']:>9.3f}")
    print(
        f"\nat likeness {figures['threshold']}: {figures['false_merges']} false merges in "
        f"{figures['strangers']:,} pairs of strangers; half of the streets would have set it to "
        f"{figures['read_off']}\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.leaks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="forty streets")
    parser.add_argument("--data", type=Path, help="folder of photos with index.csv (file,label,source)")
    given = parser.parse_args()
    main(given.data, given.quick)
