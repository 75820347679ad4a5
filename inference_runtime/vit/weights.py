"""Where the numbers come from: a bundle's safetensors file or, for measuring, chance."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError
from inference_runtime.vit.shape import DEVIATION, MEAN, Shape, from_config

ENTRY = "torch"


@dataclass(frozen=True)
class Vit:
    """Named tensors in float32 under the names of `transformers`, and what surrounds them."""

    shape: Shape
    backbone: Mapping[str, Tensor]
    head: Tensor  # for the class token, then for the mean of the patches
    bias: float
    temperature: float = 1.0
    offset: float = 0.0
    mean: tuple[float, ...] = MEAN
    deviation: tuple[float, ...] = DEVIATION

    def of_layer(self, layer: int, name: str) -> Tensor:
        return self.backbone[f"layer.{layer}.{name}"]

    def bias_of_layer(self, layer: int, name: str) -> Tensor:
        """Zeros where the model has none: DINOv3's keys, for one."""
        found = self.backbone.get(f"layer.{layer}.{name}.bias")
        return torch.zeros(len(self.of_layer(layer, f"{name}.weight"))) if found is None else found


def of_bundle(bundle: Bundle) -> Vit:
    entry, spec = bundle.engines[ENTRY], bundle.preprocess
    file = bundle.folder / entry["file"]
    tensors = {name: tensor.float() for name, tensor in _read(file).items()}
    shape = from_config(entry["config"], spec.height, spec.width)
    prefix = "backbone."
    backbone = {
        # What `transformers` calls the encoder is no part of a tensor's name in all its versions.
        name.removeprefix(prefix).removeprefix("model."): tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }
    _check(file, backbone, tensors, shape)
    return Vit(
        shape,
        backbone,
        tensors["head.weight"].flatten(),
        float(tensors["head.bias"]),
        bundle.calibration["temperature"],
        bundle.calibration["bias"],
        tuple(entry.get("mean", MEAN)),
        tuple(entry.get("deviation", DEVIATION)),
    )


def _read(file: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return dict(load_file(file))
    except (OSError, SafetensorError) as error:
        line = " ".join(str(error).split())[:200]
        raise BundleError(f"{file}: no readable weights ({line}); export the bundle again") from error


def _check(file: Path, backbone: Mapping[str, Tensor], tensors: Mapping[str, Tensor], shape: Shape) -> None:
    for name, wanted in expected(shape).items():
        found = backbone.get(name)
        if found is None or found.shape != wanted:
            has = "missing" if found is None else f"{tuple(found.shape)}, not {wanted}"
            raise BundleError(f"{file}: backbone.{name}: {has}; export the bundle again")
    if tensors["head.weight"].numel() != 2 * shape.width:
        raise BundleError(f"{file}: head.weight: not {2 * shape.width} numbers; export the bundle again")


def expected(shape: Shape) -> dict[str, tuple[int, ...]]:
    """Every tensor that no such model lacks; biases may lack."""
    wide = shape.width
    found: dict[str, tuple[int, ...]] = {
        "embeddings.cls_token": (1, 1, wide),
        "embeddings.register_tokens": (1, shape.registers, wide),
        "embeddings.patch_embeddings.weight": (wide, 3, shape.patch, shape.patch),
        "embeddings.patch_embeddings.bias": (wide,),
        "norm.weight": (wide,),
        "norm.bias": (wide,),
    }
    for layer in range(shape.layers):
        found |= {f"layer.{layer}.{name}": size for name, size in _of_layer(shape).items()}
    return found


def _of_layer(shape: Shape) -> dict[str, tuple[int, ...]]:
    wide, tall = shape.width, shape.mlp
    vectors = (*(f"norm{n}.{one}" for n in (1, 2) for one in ("weight", "bias")),)
    vectors += ("layer_scale1.lambda1", "layer_scale2.lambda1")
    sizes: dict[str, tuple[int, ...]] = dict.fromkeys(vectors, (wide,))
    sizes |= {f"attention.{one}_proj.weight": (wide, wide) for one in "qkvo"}
    sizes |= {"mlp.up_proj.weight": (tall, wide), "mlp.down_proj.weight": (wide, tall)}
    return sizes | {"mlp.gate_proj.weight": (tall, wide)} if shape.gated else sizes


def random(shape: Shape, seed: int = 0) -> Vit:
    """As if freshly initialised, but no vector is ones or zeros: those would hide a mistake."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(size, generator=generator)

    backbone = {}
    for name, size in expected(shape).items():
        if name.endswith("proj.weight") or "patch" in name:
            backbone[name] = normal(*size) / (size[-1] if len(size) == 2 else 3 * size[-1] ** 2) ** 0.5
        else:
            backbone[name] = normal(*size) * 0.1 + (not name.endswith(("bias", "tokens", "token")))
        if name.endswith("proj.weight") and "k_proj" not in name:
            backbone[name.replace("weight", "bias")] = normal(size[0]) * 0.1
    head = normal(2 * shape.width) / shape.width**0.5
    return Vit(shape, backbone, head, bias=0.1, temperature=1.3, offset=-0.2)
