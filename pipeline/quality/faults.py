"""Faults of a picture that no label cures, each measured once in its life."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray

from inference_runtime.errors import Fixable
from pipeline import drafts, images
from pipeline.params import Faults
from pipeline.progress import Progress

SIDE = 224  # pixels of the shorter side at which sharpness is measured, whatever the size

FACTS: dict[str, Any] = {
    "image": pl.String,
    "short": pl.Int32,  # pixels of its shorter side
    "light": pl.Float64,  # the grey level that nine pixels in ten stay under
    "contrast": pl.Float64,  # standard deviation of its grey levels
    "sharpness": pl.Float64,  # variance of its Laplacian
}
NAMES = ("tiny", "dark", "blank", "blurred")


def measured(images: Sequence[str]) -> pl.DataFrame:
    """A row of facts per picture; those known from other nights are not looked at again."""
    file = Path(os.environ.get("FACTS", "var/facts.parquet"))
    known = pl.read_parquet(file) if file.exists() else pl.DataFrame(schema=FACTS)
    held = set(known["image"])
    new = [image for image in dict.fromkeys(images) if image not in held]
    if new:
        with ThreadPoolExecutor(os.cpu_count()) as workers:
            rows = list(Progress(workers.map(_facts, new), "faults", len(new)))
        known = pl.concat([known, pl.DataFrame(rows, schema=FACTS, orient="row")]).sort("image")
        buffer = BytesIO()
        known.write_parquet(buffer, compression="zstd")
        drafts.write(file, buffer.getvalue())
    asked = pl.DataFrame({"image": images}, schema={"image": pl.String})
    return asked.join(known, on="image", how="left", maintain_order="left")


def faulty(facts: pl.DataFrame, params: Faults) -> pl.DataFrame:
    """Those with a fault: image, faults."""
    found = {
        "tiny": pl.col("short") < params.tiny,
        "dark": pl.col("light") < params.dark,
        "blank": pl.col("contrast") < params.blank,
        "blurred": pl.col("sharpness") < params.blurred,
    }
    named = [pl.when(found[name]).then(pl.lit(name)) for name in NAMES]
    return facts.select("image", faults=pl.concat_list(named).list.drop_nulls()).filter(
        pl.col("faults").list.len() > 0
    )


def _facts(image: str) -> tuple[str, int, float, float, float]:
    raw = np.frombuffer(images.read(image), np.uint8)
    whole = cv2.imdecode(raw, cv2.IMREAD_GRAYSCALE)
    if whole is None:
        raise Fixable(f"{images.path(image)}: no picture; delete it and run `python -m pipeline pull`")
    grey = _shrunk(np.asarray(whole, np.uint8))
    sharpness = float(cv2.Laplacian(grey, cv2.CV_64F).var())
    light = float(np.quantile(grey, 0.9))
    return image, min(whole.shape), round(light, 2), round(float(grey.std()), 2), round(sharpness, 2)


def _shrunk(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    shrink = SIDE / min(grey.shape)
    if shrink >= 1:
        return grey
    height, width = grey.shape
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small: NDArray[np.uint8] = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    return small
