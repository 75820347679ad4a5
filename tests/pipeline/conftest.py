"""Small real material: pictures, a base set, a journal, and a backbone that is small, random and real."""

import csv
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest

from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer
from pipeline import images
from pipeline.params import Backbone, Drift, Faults, Quality, Suspects


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


@pytest.fixture(scope="session")
def dinov3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of two thin layers, in the form that the hub delivers."""
    import torch
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    folder = tmp_path_factory.mktemp("dinov3")
    torch.manual_seed(0)
    config = DINOv3ViTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_register_tokens=4,
        patch_size=16,
        image_size=32,
    )
    DINOv3ViTModel(config).save_pretrained(folder)
    (folder / "LICENSE.md").write_text(
        "DINOv3 License Agreement\n\nIn place of its text; these weights are random.\n"
    )
    return folder


@pytest.fixture
def tiny(dinov3: Path) -> Backbone:
    return Backbone(name=str(dinov3), revision=None, width=32, height=32, batch=1)


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images, features and paintings live under the test's own folder."""
    monkeypatch.setenv("IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("PAINTINGS", str(tmp_path / "paintings.sqlite"))
    monkeypatch.setenv("FEATURES", str(tmp_path / "features"))
    monkeypatch.setenv("MEASURED", str(tmp_path / "measured"))
    monkeypatch.setenv("KIN", str(tmp_path / "kin.sqlite"))
    monkeypatch.setenv("GOLD", str(tmp_path / "gold.parquet"))
    monkeypatch.setenv("FACTS", str(tmp_path / "facts.parquet"))
    return tmp_path


@pytest.fixture
def snap(rooms: Path) -> Callable[[int, int], str]:
    """Puts a small picture in the house and names it; those of label 1 are redder."""
    from PIL import Image

    def one(seed: int, label: int) -> str:
        rng = np.random.default_rng(seed)
        pixels = rng.integers(0, 120, (48, 64, 3))
        pixels[:, :, 0] += 110 * label
        data = BytesIO()
        Image.fromarray(pixels.astype(np.uint8)).save(data, "PNG")
        return images.put(data.getvalue())

    return one


@pytest.fixture
def street(snap: Callable[[int, int], str]) -> pl.DataFrame:
    """Twelve pictures as rows that can be embedded."""
    return pl.DataFrame({"image": [snap(seed, seed % 2) for seed in range(12)]}).with_columns(
        profile=pl.Series(["2026-01", "native", "2026-01"] * 4)
    )


@pytest.fixture
def quality() -> Quality:
    return Quality(
        faults=Faults(tiny=8, dark=4.0, blank=2.0, blurred=1.0),
        suspects=Suspects(folds=3, rounds=1, review=10),
        drift=Drift(recent_days=1, reference_days=14, least=20, most=100, moved=0.25, auc=0.7),
    )
