"""Vision transformers of the DINO family, from a folder in the form that `save_pretrained` writes."""

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from inference_runtime.errors import Fixable
from pipeline.backbones.frozen import Frozen
from pipeline.params import Backbone

MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)

NOTICES = {
    "dinov3_vit": """\
This bundle contains weights of {name}, DINOv3 Materials of Meta Platforms, Inc., under the DINOv3 License:
https://ai.meta.com/resources/models-and-libraries/dinov3-license/
Whoever passes this bundle on passes that licence on with it (license: other, license_name: dinov3-license).
It forbids military, weapons, nuclear and espionage uses, and uses under ITAR.
""",
    "dinov2": """\
This bundle contains weights of {name} (DINOv2, Meta Platforms, Inc.), under the Apache License, Version 2.0:
http://www.apache.org/licenses/LICENSE-2.0
""",
}
NOTICES["dinov2_with_registers"] = NOTICES["dinov2"]


def load(params: Backbone, folder: Path) -> Frozen:
    config = _config(params, folder)
    _check_size(params, config.patch_size)
    return Frozen(
        _baked(_network(params, folder), params.height, params.width),
        pooled,
        dim=2 * config.hidden_size,
        mean=MEAN,
        deviation=DEVIATION,
        notice=NOTICES[config.model_type].format(name=params.name) + _licence(folder),
    )


def _config(params: Backbone, folder: Path) -> Any:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise _unusable(params, f"no readable config.json in {folder} ({_line(error)})") from None
    if config.model_type not in NOTICES:
        raise _unusable(params, f"{config.model_type} is none of {', '.join(NOTICES)}")
    return config


def _network(params: Backbone, folder: Path) -> nn.Module:
    from safetensors import SafetensorError
    from transformers import AutoModel
    from transformers.utils import logging as chatter

    chatter.disable_progress_bar()
    logging.getLogger("transformers").setLevel(logging.ERROR)
    try:
        network, report = AutoModel.from_pretrained(
            folder, local_files_only=True, dtype=torch.float32, output_loading_info=True
        )
    except (OSError, SafetensorError) as error:
        raise _unusable(params, f"no readable weights in {folder} ({_line(error)})") from None
    if report["missing_keys"]:
        # Otherwise these weights would silently be random.
        raise _unusable(params, f"weights lack {sorted(report['missing_keys'])[0]}")
    return _plain(network)


def _plain(network: nn.Module) -> nn.Module:
    """Attention as matrix products: the same numbers at these sizes, and a graph every engine reads."""
    network.set_attn_implementation("eager")  # type: ignore[operator]
    return network


class _Angles(nn.Module):
    """Stands where DINOv3 computes its rotary position code, and knows it for one size."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, cosine: Tensor, sine: Tensor) -> None:
        super().__init__()
        self.register_buffer("cosine", cosine.contiguous(), persistent=False)
        self.register_buffer("sine", sine.contiguous(), persistent=False)

    def forward(self, _: Tensor) -> tuple[Tensor, Tensor]:
        return self.cosine, self.sine


def _baked(network: Any, height: int, width: int) -> nn.Module:
    """Where a patch stands is computed once, for one size: no engine need resize or know sines."""
    with torch.no_grad():
        if network.config.model_type == "dinov3_vit":
            network.rope_embeddings = _Angles(*network.rope_embeddings(torch.zeros(1, 3, height, width)))
        else:
            _bake_positions(network.embeddings, network.config, height, width)
    return network  # type: ignore[no-any-return]


def _bake_positions(tokens: Any, config: Any, height: int, width: int) -> None:
    patches = (height // config.patch_size) * (width // config.patch_size)
    like = torch.zeros(1, patches + 1, config.hidden_size)
    tokens.position_embeddings = nn.Parameter(tokens.interpolate_pos_encoding(like, height, width))
    tokens.interpolate_pos_encoding = lambda *_: tokens.position_embeddings


def pooled(network: nn.Module, seen: Tensor) -> Tensor:
    """The vector of a picture: its class token, then the mean of its patch tokens; registers say nothing."""
    tokens: Tensor = network(pixel_values=seen).last_hidden_state
    registers = getattr(network.config, "num_register_tokens", 0)
    return torch.cat([tokens[:, 0], tokens[:, 1 + registers :].mean(1)], dim=1)


def _check_size(params: Backbone, patch: int) -> None:
    for key in ("width", "height"):
        if getattr(params, key) % patch:
            raise Fixable(f"params.yaml: backbone.{key}: must be a multiple of {patch} for {params.name}")


def _licence(folder: Path) -> str:
    return "".join("\n" + file.read_text() for file in sorted(folder.glob("LICENSE*")))


def _unusable(params: Backbone, why: str) -> Fixable:
    return Fixable(f"params.yaml: backbone.name: {params.name}: {why}; name another or fetch it again")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
