"""The real pipeline classes and the real loading code, on weights that are small and random."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel
from tokenizers.pre_tokenizers import ByteLevel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from inference_runtime import preprocess
from inference_runtime.errors import Fixable
from pipeline import images
from pipeline.params import Synthesize
from pipeline.synthesize import filter as sieve
from pipeline.synthesize.order import Declined, Order, Painting
from pipeline.synthesize.painters.sdxl import Sdxl

Orders = Callable[..., Order]


@pytest.fixture(scope="session")
def tiny_sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint folder in the form the hub delivers."""
    folder = tmp_path_factory.mktemp("sdxl")
    torch.manual_seed(0)
    StableDiffusionXLPipeline(
        vae=_vae(),
        text_encoder=CLIPTextModel(_words(32)),
        text_encoder_2=CLIPTextModelWithProjection(_words(32)),
        tokenizer=_tokenizer(folder / "one"),
        tokenizer_2=_tokenizer(folder / "two"),
        unet=_unet(),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="leading"
        ),
    ).save_pretrained(folder / "model")
    return folder / "model"


def _vae() -> AutoencoderKL:
    return AutoencoderKL(
        block_out_channels=(32, 64),
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * 2,
        up_block_types=("UpDecoderBlock2D",) * 2,
        latent_channels=4,
        sample_size=64,
    )


def _words(width: int) -> CLIPTextConfig:
    return CLIPTextConfig(
        bos_token_id=0, eos_token_id=1, pad_token_id=1, hidden_size=width, intermediate_size=37,
        num_attention_heads=4, num_hidden_layers=2, vocab_size=1000, projection_dim=32, hidden_act="gelu",
    )  # fmt: skip


def _unet() -> UNet2DConditionModel:
    return UNet2DConditionModel(
        block_out_channels=(32, 64), layers_per_block=1, sample_size=32, in_channels=4, out_channels=4,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4), use_linear_projection=True, addition_embed_type="text_time",
        addition_time_embed_dim=8, transformer_layers_per_block=(1, 1),
        projection_class_embeddings_input_dim=6 * 8 + 32, cross_attention_dim=64,
    )  # fmt: skip


def _tokenizer(folder: Path) -> CLIPTokenizer:
    """Every byte is a word of its own."""
    folder.mkdir()
    symbols = sorted(ByteLevel.alphabet())
    vocabulary = [*symbols, *(f"{s}</w>" for s in symbols), "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: n for n, word in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    return CLIPTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"), model_max_length=77)


@pytest.fixture
def painter(tiny_sdxl: Path, settings: Callable[..., Synthesize]) -> Sdxl:
    return Sdxl(settings(sdxl=small(tiny_sdxl)).sdxl)


def small(model: Path) -> dict[str, Any]:
    return {"model": str(model), "steps": 2, "width": 64, "height": 64}


@pytest.mark.parametrize("mode", ["text", "image", "add", "remove"])
def test_every_mode_paints_a_picture_of_the_asked_size(painter: Sdxl, order: Orders, mode: str) -> None:
    [one] = painter.paint([order("sdxl", mode, label=int(mode != "remove"))])
    assert isinstance(one, Painting)
    assert preprocess.decode(one.data).shape == (64, 64, 3)
    assert one.usd == 0 and one.model == painter._settings.model


def test_a_seed_gives_the_same_picture_alone_and_beside_others(painter: Sdxl, order: Orders) -> None:
    first, second = order("sdxl", "text", seed=1), order("sdxl", "text", seed=2)
    together = painter.paint([first, second])
    [alone] = painter.paint([first])
    assert all(isinstance(one, Painting) for one in (*together, alone))
    pixels = [preprocess.decode(one.data).astype(int) for one in (*together, alone)]  # type: ignore[union-attr]
    assert np.abs(pixels[0] - pixels[2]).mean() < 0.1  # sums in another order, then JPEG
    assert np.abs(pixels[0] - pixels[1]).mean() > 3


def test_inpainting_leaves_what_is_outside_the_mask(painter: Sdxl, order: Orders) -> None:
    one = order("sdxl", "add", seed=3)
    [painted] = painter.paint([one])
    assert isinstance(painted, Painting)
    share = sieve.changed(images.read(one.case), painted.data)
    assert 0 < share < 0.75


def test_a_case_without_anything_orange_cannot_lose_its_roadwork(
    painter: Sdxl, order: Orders, picture: Callable[..., bytes]
) -> None:
    import cv2

    grey = images.put(bytes(cv2.imencode(".jpg", np.full((64, 64, 3), 120, np.uint8))[1]))
    answers = painter.paint([order("sdxl", "remove", label=0, case=grey), order("sdxl", "text", label=0)])
    assert isinstance(answers[0], Declined) and "nothing can be taken out" in answers[0].reason
    assert isinstance(answers[1], Painting)


def test_a_model_that_is_not_there_is_one_line(settings: Callable[..., Synthesize], order: Orders) -> None:
    lost = Sdxl(settings(sdxl={"model": "/nowhere/at/all"}).sdxl)
    with pytest.raises(Fixable, match=r"synthesize\.sdxl\.model /nowhere/at/all: cannot be loaded"):
        lost.paint([order("sdxl", "text")])


def test_lora_weights_reach_the_pipeline(
    tiny_sdxl: Path, settings: Callable[..., Synthesize], order: Orders, tmp_path: Path
) -> None:
    import peft

    pipeline = StableDiffusionXLPipeline.from_pretrained(tiny_sdxl)
    pipeline.unet.add_adapter(peft.LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights=False))
    layers = peft.get_peft_model_state_dict(pipeline.unet)
    StableDiffusionXLPipeline.save_lora_weights(tmp_path, unet_lora_layers=layers)
    plain = Sdxl(settings(sdxl=small(tiny_sdxl)).sdxl)
    tuned = Sdxl(settings(sdxl=small(tiny_sdxl) | {"lora": str(tmp_path)}).sdxl)
    [before], [after] = plain.paint([order("sdxl", "text")]), tuned.paint([order("sdxl", "text")])
    assert isinstance(before, Painting) and isinstance(after, Painting) and before.data != after.data
