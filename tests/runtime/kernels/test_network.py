from dataclasses import replace

import pytest
import torch

from inference_runtime.engines.network import PRECISIONS, Network
from inference_runtime.kernels.choice import Choice
from inference_runtime.kernels.product import Tiles
from inference_runtime.vit import weights
from inference_runtime.vit.plain import Plain
from inference_runtime.vit.shape import Shape

SMALL = Shape(
    width=64,
    layers=2,
    heads=2,
    mlp=96,
    gated=False,
    patch=8,
    registers=4,
    theta=100.0,
    eps=1e-5,
    pixels=(24, 16),
)
TILES = (Tiles(32, 32, 32, 4, 2),)
# The gate's budgets for the largest difference of a logit; int8 and fp8 state their own.
BUDGET = {"fp32": 1e-3, "fp16": 5e-2, "bf16": 1.5e-1, "fp8": 6e-1, "int8": 2e-1}


def last_way() -> Choice:
    """Takes what is named last, where the default takes what is named first."""
    ticks = iter(range(10**9, 0, -1))
    return Choice(None, lambda way: (way(), float(next(ticks)))[1])


def answers(vit: weights.Vit, precision: str, pixels: torch.Tensor, choice: Choice) -> torch.Tensor:
    network = Network(vit, PRECISIONS[precision], pixels.device, len(pixels) + 1, choice, TILES)
    logits = torch.full((len(pixels),), float("nan"), device=pixels.device)
    routes = torch.full((len(pixels),), 99, dtype=torch.int8, device=pixels.device)
    # Twice, for ways are compared on the buffers that the first call computes in.
    for _ in range(2):
        network(pixels, logits, routes)
    assert (routes == 0).all()
    return logits


def pictures(device: torch.device, count: int = 3) -> torch.Tensor:
    return torch.randint(0, 256, (count, *SMALL.pixels, 3), dtype=torch.uint8).to(device)


@pytest.mark.parametrize("gated", [False, True])
@pytest.mark.parametrize("precision", list(PRECISIONS))
def test_the_engine_is_float32_torch_within_the_gates_budget(precision, gated, device) -> None:
    vit = weights.random(replace(SMALL, gated=gated), seed=torch.seed() % 2**31)
    pixels = pictures(device)
    wanted = Plain(vit).to(device)(pixels)
    found = answers(vit, precision, pixels, Choice(None, None))
    assert (found - wanted).abs().max() <= BUDGET[precision]


def test_every_other_way_gives_the_same(device) -> None:
    vit, pixels = weights.random(SMALL), pictures(device)
    first = answers(vit, "fp32", pixels, Choice(None, None))
    assert torch.allclose(answers(vit, "fp32", pixels, last_way()), first, atol=1e-4)


def test_an_answer_depends_on_its_neighbours_by_no_more_than_a_rounding(device) -> None:
    vit, pixels = weights.random(SMALL), pictures(device)
    together = answers(vit, "fp32", pixels, Choice(None, None))
    alone = [answers(vit, "fp32", pixels[n : n + 1], Choice(None, None)).item() for n in range(len(pixels))]
    assert together.tolist() == pytest.approx(alone, abs=1e-5)


def test_a_choice_is_remembered_and_a_way_that_fails_is_never_taken(tmp_path) -> None:
    def broken() -> None:
        raise RuntimeError("no such instruction")

    took: list[str] = []
    ways = {"broken": broken, "slow": lambda: took.append("slow"), "fast": lambda: took.append("fast")}
    choice = Choice(tmp_path / "fastest.json", lambda way: (way(), float(took[-1] == "slow"))[1])
    choice("a shape", ways)
    assert took == ["slow", "fast", "fast"]
    Choice(tmp_path / "fastest.json", lambda way: pytest.fail("measured again"))("a shape", ways)
    assert took[-1] == "fast"
    (tmp_path / "fastest.json").write_text("{cut sho")
    assert Choice(tmp_path / "fastest.json", None).taken == {}
