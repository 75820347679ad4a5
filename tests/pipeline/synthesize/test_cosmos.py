"""Cosmos Transfer 2.5 by the real pipeline class and the real loading code, on weights small and random."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderKLWan,
    Cosmos2_5_TransferPipeline,
    CosmosControlNetModel,
    CosmosTransformer3DModel,
    UniPCMultistepScheduler,
)
from tokenizers import Tokenizer, models, pre_tokenizers
from tokenizers.pre_tokenizers import ByteLevel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2TokenizerFast

from inference_runtime import preprocess
from pipeline.params import Synthesize
from pipeline.synthesize.order import Order, Painting
from pipeline.synthesize.painters.cosmos import Cosmos

HIDDEN, LAYERS = 16, 2
CHAT = "{% for m in messages %}{{ m['role'] }}: {{ m['content'][0]['text'] }}\n{% endfor %}"


class Watchman:
    """In the guardrail's place, whose weights are gated; it lets all pass but one word."""

    def to(self, device: torch.device) -> "Watchman":
        return self

    def check_text_safety(self, prompt: str) -> bool:
        return "forbidden" not in prompt

    def check_video_safety(self, video: np.ndarray) -> np.ndarray:
        return video


@pytest.fixture(scope="session")
def tiny_cosmos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cosmos")
    torch.manual_seed(0)
    pipeline = Cosmos2_5_TransferPipeline(
        text_encoder=_reader(),
        tokenizer=_tokenizer(),
        transformer=_transformer(),
        vae=AutoencoderKLWan(
            base_dim=3,
            z_dim=16,
            dim_mult=[1, 1, 1, 1],
            num_res_blocks=1,
            temperal_downsample=[False, True, True],
        ),
        scheduler=UniPCMultistepScheduler(),
        controlnet=_control(),
        safety_checker=Watchman(),
    )
    for name in ("text_encoder", "tokenizer", "transformer", "vae", "scheduler", "controlnet"):
        getattr(pipeline, name).save_pretrained(folder / name)
    pipeline.register_modules(safety_checker=None)
    pipeline.save_config(folder)
    return folder


def _reader() -> Qwen2_5_VLForConditionalGeneration:
    text = {
        "hidden_size": HIDDEN, "intermediate_size": HIDDEN, "num_hidden_layers": LAYERS,
        "num_attention_heads": 2,
        "num_key_value_heads": 2, "vocab_size": 300,
        "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
    }  # fmt: skip
    vision = {
        "depth": 1, "hidden_size": HIDDEN, "intermediate_size": HIDDEN, "num_heads": 2,
        "out_hidden_size": HIDDEN,
    }  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(text_config=text, vision_config=vision))


def _tokenizer() -> Qwen2TokenizerFast:
    words = [*sorted(ByteLevel.alphabet()), "<|endoftext|>"]
    tokenizer = Tokenizer(models.BPE(vocab={word: n for n, word in enumerate(words)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    found = Qwen2TokenizerFast(tokenizer_object=tokenizer, pad_token="<|endoftext|>")
    found.chat_template = CHAT
    return found


def _transformer() -> CosmosTransformer3DModel:
    return CosmosTransformer3DModel(
        in_channels=17, out_channels=16, num_attention_heads=2, attention_head_dim=16, num_layers=2,
        mlp_ratio=2,
        text_embed_dim=32, adaln_lora_dim=4, max_size=(4, 32, 32), patch_size=(1, 2, 2),
        rope_scale=(2.0, 1.0, 1.0),
        concat_padding_mask=True, extra_pos_embed_type=None, use_crossattn_projection=True,
        crossattn_proj_in_channels=HIDDEN * LAYERS, encoder_hidden_states_channels=32,
        controlnet_block_every_n=1,
    )  # fmt: skip


def _control() -> CosmosControlNetModel:
    return CosmosControlNetModel(
        n_controlnet_blocks=2, in_channels=18, latent_channels=18, model_channels=32, num_attention_heads=2,
        attention_head_dim=16, mlp_ratio=2, text_embed_dim=32, adaln_lora_dim=4, patch_size=(1, 2, 2),
        max_size=(4, 32, 32), rope_scale=(2.0, 1.0, 1.0), extra_pos_embed_type=None,
        use_crossattn_projection=True, crossattn_proj_in_channels=HIDDEN * LAYERS,
        encoder_hidden_states_channels=32,
    )  # fmt: skip


@pytest.fixture
def painter(tiny_cosmos: Path, settings: Callable[..., Synthesize]) -> Cosmos:
    small = {"model": str(tiny_cosmos), "revision": None, "control_revision": None}
    return Cosmos(settings(cosmos=small | {"steps": 2, "width": 64, "height": 32}).cosmos, Watchman())


def test_a_case_is_painted_anew_along_its_outlines(painter: Cosmos, order: Callable[..., Order]) -> None:
    [one] = painter.paint([order("cosmos", "image")])
    assert isinstance(one, Painting)
    assert preprocess.decode(one.data).shape == (32, 64, 3)


def test_the_seed_and_the_case_decide(painter: Cosmos, order: Callable[..., Order]) -> None:
    first, again, other = (painter.paint([order("cosmos", "image", seed=seed)])[0] for seed in (1, 1, 2))
    assert first == again != other


def test_it_only_varies_what_is_there(painter: Cosmos) -> None:
    assert painter.modes == {"image"}
