"""The weights alone, for an engine that brings its own code for the network."""

from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from inference_runtime.errors import Fixable
from pipeline.classifier import Classifier
from pipeline.looks import WHOLE

# What the Triton engine computes with; the rest of a checkpoint's config tells of its training.
CONFIG = (
    *("model_type", "hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"),
    *("num_register_tokens", "patch_size", "layer_norm_eps", "rope_theta", "use_gated_mlp", "hidden_act"),
    *("query_bias", "key_bias", "value_bias", "proj_bias", "mlp_bias", "layerscale_value"),
)


def write(model: Classifier, file: Path) -> dict[str, Any]:
    """The tensors by transformers' names under `backbone.`, and the head; returns the network's config."""
    config = getattr(model.backbone.network, "config", None)
    if getattr(config, "model_type", None) != "dinov3_vit":
        raise Fixable("params.yaml: export.also: torch is for DINOv3 backbones only; remove it or name one")
    if model.hidden is not None:
        raise Fixable(
            "params.yaml: train.heads: the torch engine knows no mlp; remove it, or torch from export.also"
        )
    if model.looks != WHOLE:
        raise Fixable(
            "params.yaml: train.looks: the torch engine looks once; keep [whole], or change export.also"
        )
    save_file(_tensors(model), file, metadata={"format": "pt"})
    return {key: getattr(config, key) for key in CONFIG}


def _tensors(model: Classifier) -> dict[str, Tensor]:
    network = {f"backbone.{name}": value for name, value in model.backbone.network.state_dict().items()}
    head = {"head.weight": model.linear.weight, "head.bias": model.linear.bias}
    return {name: value.detach().to(torch.float32).contiguous() for name, value in (network | head).items()}
