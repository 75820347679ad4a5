"""What can be computed before any picture comes, is.

LayerNorm's weight and bias go into the product that follows; LayerScale into the one before. A product that
adds onto the residual stream owes its bias: `shift` says at every reading what is owed so far. The final
norm, pooling, head and calibration are one vector for the class token and one for the patches.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from inference_runtime.vit.plain import angles
from inference_runtime.vit.weights import Vit


@dataclass(frozen=True)
class Affine:
    """weight [out, in] and bias [out] in float64, before they are put into an engine's type."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True)
class FoldedLayer:
    shift1: Tensor
    packed: Affine
    out: Tensor
    shift2: Tensor
    up: Affine
    down: Tensor


@dataclass(frozen=True)
class Folded:
    scale: Tensor
    level: Tensor
    embed: Tensor
    start: Tensor  # [tokens, width]: what the stream holds before the patches are added
    cosine: Tensor
    sine: Tensor
    layers: tuple[FoldedLayer, ...]
    shift: Tensor
    head: Tensor  # [2, width]
    constant: float


def folded(vit: Vit) -> Folded:
    shape, owed = vit.shape, vit.backbone["embeddings.patch_embeddings.bias"].double()
    prefix = [vit.backbone[f"embeddings.{name}"][0].double() for name in ("cls_token", "register_tokens")]
    start = torch.cat([*prefix, torch.zeros(shape.tokens - shape.prefix, shape.width, dtype=torch.float64)])
    # The patches owe their bias, and so do all: it is taken from the tokens that have none.
    start[: shape.prefix] -= owed
    layers = []
    for layer in range(shape.layers):
        one, owed = _layer(vit, layer, owed)
        layers.append(one)
    turns = angles(shape)
    deviation = torch.tensor(vit.deviation)
    head, constant = _head(vit)
    return Folded(
        scale=1 / deviation,
        level=-torch.tensor(vit.mean) / deviation,
        embed=vit.backbone["embeddings.patch_embeddings.weight"].flatten(1),
        start=start,
        cosine=turns.cos(),
        sine=turns.sin(),
        layers=tuple(layers),
        shift=owed,
        head=head,
        constant=constant,
    )


def _layer(vit: Vit, layer: int, owed: Tensor) -> tuple[FoldedLayer, Tensor]:
    scale1, scale2 = (vit.of_layer(layer, f"layer_scale{n}.lambda1").double() for n in (1, 2))
    between = owed + scale1 * vit.bias_of_layer(layer, "attention.o_proj").double()
    after = between + scale2 * vit.bias_of_layer(layer, "mlp.down_proj").double()
    up = ("mlp.gate_proj", "mlp.up_proj") if vit.shape.gated else ("mlp.up_proj",)
    one = FoldedLayer(
        shift1=owed,
        packed=_behind(vit, layer, "norm1", *(f"attention.{one}_proj" for one in "qkv")),
        out=scale1[:, None] * vit.of_layer(layer, "attention.o_proj.weight").double(),
        shift2=between,
        up=_behind(vit, layer, "norm2", *up),
        down=scale2[:, None] * vit.of_layer(layer, "mlp.down_proj.weight").double(),
    )
    return one, after


def _behind(vit: Vit, layer: int, norm: str, *names: str) -> Affine:
    weight = torch.cat([vit.of_layer(layer, f"{name}.weight") for name in names]).double()
    bias = torch.cat([vit.bias_of_layer(layer, name) for name in names]).double()
    gain, lift = (vit.of_layer(layer, f"{norm}.{one}").double() for one in ("weight", "bias"))
    return Affine(weight * gain, bias + weight @ lift)


def _head(vit: Vit) -> tuple[Tensor, float]:
    patches = vit.shape.tokens - vit.shape.prefix
    gain, lift = (vit.backbone[f"norm.{one}"].double() for one in ("weight", "bias"))
    each = vit.head.double().view(2, -1) / vit.temperature
    constant = float((each @ lift).sum()) + vit.bias / vit.temperature + vit.offset
    # A mean over the patches is a sum of shares.
    return torch.stack([each[0] * gain, each[1] * gain / patches]), constant
