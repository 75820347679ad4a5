"""Vision transformers in their real shapes, with random weights: what costs time and rounds is there."""

from pathlib import Path
from typing import Any

import torch

SHAPE = {"hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6}


def saved(name: str, folder: Path) -> Path:
    """A checkpoint of ViT-S size in the form that the hub delivers; the same weights every time."""
    from transformers import Dinov2Config, Dinov2Model, DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(72)
    network: Any
    if name == "dinov3":
        config = {"intermediate_size": 1536, "num_register_tokens": 4, "patch_size": 16, "image_size": 224}
        network = DINOv3ViTModel(DINOv3ViTConfig(**SHAPE, **config))
    else:
        network = Dinov2Model(Dinov2Config(**SHAPE, patch_size=14, image_size=518))
    network.save_pretrained(folder)
    return folder
