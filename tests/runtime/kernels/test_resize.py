from typing import get_args

import numpy as np
import pytest
import torch
from PIL import Image

from inference_runtime import preprocess
from inference_runtime.kernels.resize import boxes, resize, twin
from inference_runtime.preprocess import Filter, Preprocess

# (frame, model, gap), width first: larger, smaller, the same, a side each way, and boxes that do not fit.
SIZES = [
    ((50, 37), (16, 16), None),
    ((9, 7), (16, 32), None),
    ((16, 16), (16, 16), None),
    ((16, 40), (16, 16), None),
    ((35, 26), (8, 4), 2.0),
    ((35, 27), (4, 4), 2.0),
    ((64, 20), (8, 16), 2.0),
]


def frame_of(size: tuple[int, int]) -> np.ndarray:
    return np.random.default_rng().integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)


def resized(
    frame: np.ndarray, size: tuple[int, int], gap: float | None, device: torch.device, how="bilinear"
) -> np.ndarray:
    out = torch.full((size[1], size[0], 3), 99, dtype=torch.uint8, device=device)
    between = torch.empty(frame.shape[0] * size[0] * 3, dtype=torch.uint8, device=device)
    return resize(torch.from_numpy(frame).to(device), out, between, gap, how).cpu().numpy()


def by_pillow(frame: np.ndarray, size: tuple[int, int], gap: float | None, how: str) -> np.ndarray:
    """Columns first, then rows: Pillow itself goes the other way where the height shrinks much more."""
    picture, kind = Image.fromarray(frame), Image.Resampling[how.upper()]
    factors = [boxes(old, new, gap) for old, new in zip(picture.size, size, strict=True)]
    box = (0, 0, picture.width / factors[0], picture.height / factors[1])
    low = picture.reduce(tuple(factors))
    wide = low.resize((size[0], low.height), kind, (0, 0, box[2], low.height))
    return np.array(wide.resize(size, kind, (0, 0, size[0], box[3])))


@pytest.mark.parametrize("how", get_args(Filter))
@pytest.mark.parametrize(("size", "wanted", "gap"), SIZES, ids=str)
def test_it_is_pillow_to_the_bit(size, wanted, gap, how, device) -> None:
    """But for the last row and column where boxes hang over the edge: there a level may be between them."""
    frame = frame_of(size)
    apart = np.abs(resized(frame, wanted, gap, device, how).astype(int) - by_pillow(frame, wanted, gap, how))
    fits = all(old % boxes(old, new, gap) == 0 for old, new in zip(size, wanted, strict=True))
    assert apart.max() <= (0 if fits else 1)
    assert apart[:-1, :-1].max() == 0


@pytest.mark.parametrize(("size", "wanted"), [((50, 37), (16, 16)), ((9, 7), (16, 32))], ids=str)
def test_it_is_torch_within_one_rounding_of_each_pass(size, wanted, device) -> None:
    frame = frame_of(size)
    apart = resized(frame, wanted, None, device) - twin(torch.from_numpy(frame), wanted[1], wanted[0]).numpy()
    assert np.abs(apart).max() <= 1.01


@pytest.mark.parametrize("how", get_args(Filter))
@pytest.mark.parametrize("size", [(35, 26), (26, 39)], ids=str)
def test_it_is_the_resize_that_the_runtime_serves_with(size, how, device) -> None:
    """Within one level of 255, for the order of Pillow's passes depends on its version and the size."""
    frame = frame_of(size)
    served = preprocess.resize(frame, Preprocess(8, 16, how)).astype(int)
    assert np.abs(resized(frame, (8, 16), 2.0, device, how) - served).max() <= 1
