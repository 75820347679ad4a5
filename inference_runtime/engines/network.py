"""The vision transformer on our kernels: prepared pixels in, logits out, and nothing allocated on the way."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor
from torch.nn import functional as F

from inference_runtime.kernels.activate import activate
from inference_runtime.kernels.attention import attention
from inference_runtime.kernels.choice import Choice
from inference_runtime.kernels.launch import TOP
from inference_runtime.kernels.linear import Linear, Matrix, Rows, matrix
from inference_runtime.kernels.normalise import normalise
from inference_runtime.kernels.patches import patches
from inference_runtime.kernels.product import CHOICES, Tiles
from inference_runtime.kernels.rope import rope
from inference_runtime.kernels.verdict import parts, verdict
from inference_runtime.vit.folded import Folded, FoldedLayer, folded
from inference_runtime.vit.shape import Shape
from inference_runtime.vit.weights import Vit

# (queries, keys, warps, stages) of one program.
BLOCKS = ((64, 64, 4, 2), (128, 64, 8, 2), (64, 32, 4, 3), (128, 32, 4, 3))


@dataclass(frozen=True)
class Precision:
    """Of the stream and of what the large products read."""

    stream: torch.dtype
    products: torch.dtype


PRECISIONS = {
    "fp32": Precision(torch.float32, torch.float32),
    "fp16": Precision(torch.float16, torch.float16),
    "bf16": Precision(torch.bfloat16, torch.bfloat16),
    "fp8": Precision(torch.bfloat16, torch.float8_e4m3fn),
    "int8": Precision(torch.float16, torch.int8),
}


@dataclass(frozen=True)
class Block:
    """One layer's matrices, rounded for the engine."""

    shift1: Tensor
    packed: Matrix
    out: Matrix
    shift2: Tensor
    up: Matrix
    down: Matrix


class Network:
    """Its buffers are its own: one call at a time."""

    def __init__(
        self,
        vit: Vit,
        precision: Precision,
        device: torch.device,
        most: int,
        choice: Choice,
        tiles: tuple[Tiles, ...] = CHOICES,
    ) -> None:
        self.shape, self._precision, self._device = vit.shape, precision, device
        self._choice, self._linear = choice, Linear(choice, tiles)
        self._place(folded(vit))
        self._buffers(vit.shape, most)

    def __call__(self, pixels: Tensor, logits: Tensor, routes: Tensor) -> None:
        """uint8 [N,H,W,3] to float32 [N], and to the cascade's route for each."""
        shape, linear, rows = self.shape, self._linear, len(pixels) * self.shape.tokens
        stream, packed, seen = self._stream[:rows], self._packed[:rows], self._seen[:rows]
        normal, hidden = _first(self._normal, rows), _first(self._hidden, rows)

        patches(pixels, self._scale, self._level, shape.patch, shape.prefix, self._patches[: len(pixels)])
        self._apart(stream).copy_(self._start)
        linear.add(Rows(self._patches[: len(pixels)].flatten(0, 1)), self._embed, stream)
        for block in self._blocks:
            normalise(stream, block.shift1, shape.eps, *_both(normal))
            linear.plain(normal, block.packed, packed)
            self._attend(self._apart(packed), self._apart(seen))
            linear.add(Rows(seen), block.out, stream)
            normalise(stream, block.shift2, shape.eps, *_both(normal))
            self._activated(normal, block.up, hidden)
            linear.add(hidden, block.down, stream)
        partial = self._partial[: len(pixels)]
        verdict(
            self._apart(stream),
            self._shift,
            self._head,
            self.limits,
            shape.prefix,
            shape.eps,
            partial,
            logits,
            routes,
        )

    def _attend(self, packed: Tensor, seen: Tensor) -> None:
        heads, turn = self.shape.heads, (self._cosine, self._sine)
        ways = {
            f"kernel {blocks}": partial(attention, packed, *turn, heads, seen, *blocks) for blocks in BLOCKS
        }
        apart = partial(_rope_then_library, packed, *turn, heads, seen)
        key = f"attention {tuple(seen.shape)} of {heads} {seen.dtype}"
        self._choice(key, ways | {"rope, then library": apart})

    def _activated(self, normal: Rows, up: Matrix, hidden: Rows) -> None:
        if hidden.scales is None and not self.shape.gated:
            self._linear.gelu(normal, up, hidden.numbers)
            return
        assert up.bias is not None
        raw = self._raw[: len(normal.numbers)]
        self._linear.plain(normal, up.unbiased(), raw)
        activate(raw, up.bias, *_both(hidden))

    def _apart(self, rows: Tensor) -> Tensor:
        return rows.view(-1, self.shape.tokens, rows.shape[1])

    def _place(self, ready: Folded) -> None:
        def number(tensor: Tensor) -> Tensor:
            return tensor.float().contiguous().to(self._device)

        stream = self._precision.stream
        self._scale, self._level = number(ready.scale), number(ready.level)
        self._cosine, self._sine = number(ready.cosine), number(ready.sine)
        self._shift, self._head = number(ready.shift), number(ready.head)
        # The constant, and limits between which a cascade would ask on: none, until it is told.
        self.limits = torch.tensor([ready.constant, float("inf"), float("inf")], device=self._device)
        self._start = ready.start.to(stream).to(self._device)
        self._embed = matrix(ready.embed, None, stream, stream, self._device)
        self._blocks = [self._block(layer) for layer in ready.layers]

    def _block(self, layer: FoldedLayer) -> Block:
        stream, products = self._precision.stream, self._precision.products
        return Block(
            layer.shift1.float().to(self._device),
            matrix(layer.packed.weight, layer.packed.bias, products, stream, self._device),
            # A twelfth of the work, and its rows come from attention: not worth a pass to quantise them.
            matrix(layer.out, None, stream, stream, self._device),
            layer.shift2.float().to(self._device),
            matrix(layer.up.weight, layer.up.bias, products, stream, self._device),
            matrix(layer.down, None, products, stream, self._device),
        )

    def _buffers(self, shape: Shape, most: int) -> None:
        stream, products = self._precision.stream, self._precision.products
        rows, quantised = most * shape.tokens, self._precision.products in TOP
        size = 3 * shape.patch**2

        def empty(*sides: int, dtype: torch.dtype = stream) -> Tensor:
            return torch.zeros(sides, dtype=dtype, device=self._device)

        def scales() -> Tensor | None:
            return empty(rows, dtype=torch.float32) if quantised else None

        self._patches = empty(most, shape.tokens, size)
        self._stream, self._seen = empty(rows, shape.width), empty(rows, shape.width)
        self._packed = empty(rows, 3 * shape.width)
        self._normal = Rows(empty(rows, shape.width, dtype=products), scales())
        self._hidden = Rows(empty(rows, shape.mlp, dtype=products), scales())
        self._raw = empty(rows if quantised or shape.gated else 0, shape.mlp * (1 + shape.gated))
        self._partial = empty(most, parts(shape.tokens), dtype=torch.float32)


def _first(all_of: Rows, rows: int) -> Rows:
    return Rows(all_of.numbers[:rows], None if all_of.scales is None else all_of.scales[:rows])


def _both(rows: Rows) -> tuple[Tensor, Tensor | None]:
    return rows.numbers, rows.scales


def _rope_then_library(packed: Tensor, cosine: Tensor, sine: Tensor, heads: int, seen: Tensor) -> None:
    rope(packed, cosine, sine, heads)
    images, tokens, width = seen.shape
    query, key, value = packed.view(images, tokens, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    found = F.scaled_dot_product_attention(query, key, value)
    seen.view(images, tokens, heads, width // heads).copy_(found.transpose(1, 2))
