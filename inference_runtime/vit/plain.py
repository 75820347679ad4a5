"""The same in plain torch: judge of the kernels, engine where Triton is not, and the peer to beat."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from inference_runtime.vit.shape import Shape
from inference_runtime.vit.weights import Vit


def angles(shape: Shape) -> Tensor:
    """[tokens, half a head] in radians: how far each pair of numbers turns at a token's place."""
    down, along = shape.grid
    # From -1 to 1 over the centres of the patches; class and register tokens have no place and do not turn.
    y = (torch.arange(down) + 0.5) / down * 2 - 1
    x = (torch.arange(along) + 0.5) / along * 2 - 1
    places = torch.cartesian_prod(y, x)
    quarter = shape.width // shape.heads // 4
    frequencies = 1 / shape.theta ** (torch.arange(quarter) / quarter)
    turns = 2 * math.pi * places[:, :, None] * frequencies
    return torch.cat([torch.zeros(shape.prefix, 2 * quarter), turns.flatten(1)])


class Layer(nn.Module):
    cosine: Tensor
    sine: Tensor

    def __init__(self, vit: Vit, layer: int) -> None:
        super().__init__()
        shape = self.shape = vit.shape
        self.norm1, self.norm2 = _norm(vit, f"layer.{layer}.norm1"), _norm(vit, f"layer.{layer}.norm2")
        self.packed = _linear(vit, layer, *(f"attention.{one}_proj" for one in "qkv"))
        self.out = _linear(vit, layer, "attention.o_proj")
        self.up = _linear(vit, layer, *(["mlp.gate_proj"] if shape.gated else []), "mlp.up_proj")
        self.down = _linear(vit, layer, "mlp.down_proj")
        self.scale1 = nn.Parameter(vit.of_layer(layer, "layer_scale1.lambda1"))
        self.scale2 = nn.Parameter(vit.of_layer(layer, "layer_scale2.lambda1"))

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        x = x + self.scale1 * self.out(self._attention(self.packed(self.norm1(x)), cosine, sine))
        after: Tensor = x + self.scale2 * self.down(self._activated(self.up(self.norm2(x))))
        return after

    def _attention(self, packed: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        images, tokens, _ = packed.shape
        apart = packed.view(images, tokens, 3, self.shape.heads, -1).permute(2, 0, 3, 1, 4)
        query, key = _turned(apart[0], cosine, sine), _turned(apart[1], cosine, sine)
        seen = F.scaled_dot_product_attention(query, key, apart[2])
        return seen.transpose(1, 2).reshape(images, tokens, -1)

    def _activated(self, x: Tensor) -> Tensor:
        if not self.shape.gated:
            return F.gelu(x)
        gate, up = x.chunk(2, -1)
        return F.silu(gate) * up


class Plain(nn.Module):
    """uint8 pixels [N,H,W,3] -> float32 logits [N], computed in the type it is moved to."""

    cosine: Tensor
    sine: Tensor
    mean: Tensor
    deviation: Tensor

    def __init__(self, vit: Vit) -> None:
        super().__init__()
        shape = self.shape = vit.shape
        self.embed = nn.Conv2d(3, shape.width, shape.patch, shape.patch)
        self.embed.weight.data = vit.backbone["embeddings.patch_embeddings.weight"].clone()
        self.embed.bias.data = vit.backbone["embeddings.patch_embeddings.bias"].clone()  # type: ignore[union-attr]
        tokens = (vit.backbone[f"embeddings.{name}"] for name in ("cls_token", "register_tokens"))
        self.prefix = nn.Parameter(torch.cat(list(tokens), 1))
        self.layers = nn.ModuleList(Layer(vit, layer) for layer in range(shape.layers))
        self.norm = _norm(vit, "norm")
        self.head = nn.Parameter(vit.head / vit.temperature)
        self.constant = vit.bias / vit.temperature + vit.offset
        turns = angles(shape).repeat(1, 2)
        for name, numbers in (("cosine", turns.cos()), ("sine", turns.sin())):
            self.register_buffer(name, numbers)
        for name, levels in (("mean", vit.mean), ("deviation", vit.deviation)):
            self.register_buffer(name, torch.tensor(levels))
        self.requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        seen = ((pixels.float() - self.mean.float()) / self.deviation.float()).to(self.head.dtype)
        patches = self.embed(seen.permute(0, 3, 1, 2)).flatten(2).mT
        x = torch.cat([self.prefix.expand(len(pixels), -1, -1), patches], 1)
        for layer in self.layers:
            x = layer(x, self.cosine, self.sine)
        x = self.norm(x).float()
        pooled = torch.cat([x[:, 0], x[:, self.shape.prefix :].mean(1)], 1)
        return pooled @ self.head.float() + self.constant


def _norm(vit: Vit, name: str) -> nn.LayerNorm:
    norm = nn.LayerNorm(vit.shape.width, vit.shape.eps)
    norm.weight.data, norm.bias.data = (vit.backbone[f"{name}.{one}"].clone() for one in ("weight", "bias"))
    return norm


def _linear(vit: Vit, layer: int, *names: str) -> nn.Linear:
    """Several in one, for they read the same."""
    weight = torch.cat([vit.of_layer(layer, f"{name}.weight") for name in names])
    linear = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
    linear.weight = nn.Parameter(weight)
    linear.bias = nn.Parameter(torch.cat([vit.bias_of_layer(layer, name) for name in names]))
    return linear


def _turned(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return x * cosine + torch.cat([-second, first], -1) * sine
