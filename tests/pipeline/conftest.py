"""Small real material: pictures, a base set, a journal."""

import csv
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer
from pipeline import images


def jpeg(seed: int, width: int = 64, height: int = 48) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", pixels)[1])


@pytest.fixture
def picture() -> Callable[..., bytes]:
    return jpeg


@pytest.fixture
def base_set() -> Callable[[Path, range], Path]:
    """Writes a labelled folder of pictures with these seeds; even ones are clear."""

    def write(folder: Path, seeds: range) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "labels.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(("file", "label", "tags"))
            for seed in seeds:
                (folder / f"{seed}.jpg").write_bytes(jpeg(seed))
                rows.writerow((f"{seed}.jpg", seed % 2, "night" if seed % 3 == 0 else ""))
        return folder

    return write


@pytest.fixture
def journalled() -> Callable[[Path, range], list[str]]:
    """Answers pictures with these seeds through a real journal; their names."""

    def write(folder: Path, seeds: range) -> list[str]:
        journal = Journal(folder)
        names = []
        for seed in seeds:
            data = jpeg(seed, 32, 32)
            p = float(np.random.default_rng(seed).random())
            answer = Answer(p=p, logit=0.0, image=images.name(data), bundle="b" * 16, width=32, height=32)
            journal.append(answer, data, 1.0)
            names.append(answer.image)
        journal.close()
        return names

    return write
