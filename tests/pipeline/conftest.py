"""A house of its own for each test, and a backbone that is small, random and real."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline import images
from pipeline.params import Backbone


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
    return folder


@pytest.fixture
def tiny(dinov3: Path) -> Backbone:
    return Backbone(name=str(dinov3), revision=None, width=32, height=32, batch=1)


@pytest.fixture
def rooms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Images and features live under the test's own folder."""
    monkeypatch.setenv("IMAGES", str(tmp_path / "images"))
    monkeypatch.setenv("FEATURES", str(tmp_path / "features"))
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
