"""The sizes of a vision transformer, and what they cost: plain numbers, for machines without torch."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from inference_runtime.errors import BundleError

# ImageNet's, in levels of 0 to 255: what DINOv3 was trained with.
MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
DEVIATION = (0.229 * 255, 0.224 * 255, 0.225 * 255)


@dataclass(frozen=True)
class Shape:
    width: int
    layers: int
    heads: int
    mlp: int
    gated: bool
    patch: int
    registers: int
    theta: float
    eps: float
    pixels: tuple[int, int]

    @property
    def prefix(self) -> int:
        return 1 + self.registers

    @property
    def grid(self) -> tuple[int, int]:
        return self.pixels[0] // self.patch, self.pixels[1] // self.patch

    @property
    def tokens(self) -> int:
        return self.prefix + self.grid[0] * self.grid[1]

    def flops(self, images: int = 1) -> float:
        """Of the matrix products, two for each multiplication."""
        rows, mlp = self.tokens, (3 if self.gated else 2) * self.width * self.mlp
        linear = rows * (4 * self.width**2 + mlp)
        attention = 2 * rows**2 * self.width
        embedding = (rows - self.prefix) * 3 * self.patch**2 * self.width
        return 2.0 * images * (self.layers * (linear + attention) + embedding)

    def bytes(self, images: int, of_number: int = 2) -> float:
        """That must at least be moved: every weight once, and each product's rows in and out."""
        weights = self.layers * (4 * self.width**2 + (3 if self.gated else 2) * self.width * self.mlp)
        rows = self.layers * (14 * self.width + (4 if self.gated else 2) * self.mlp)
        return float(of_number * (weights + images * self.tokens * rows))


# Meta's, at 224 by 224.
VITS = {"width": 384, "layers": 12, "heads": 6, "mlp": 1536}
VITB = {"width": 768, "layers": 12, "heads": 12, "mlp": 3072}
VITL = {"width": 1024, "layers": 24, "heads": 16, "mlp": 4096}
KNOWN = {"vits16": VITS, "vitb16": VITB, "vitl16": VITL}


def known(name: str, side: int = 224) -> Shape:
    sizes = KNOWN[name]
    return Shape(**sizes, gated=False, patch=16, registers=4, theta=100.0, eps=1e-5, pixels=(side, side))


def from_config(config: Mapping[str, Any], height: int, width: int) -> Shape:
    """Of what `transformers` writes as config.json for a `dinov3_vit`."""
    try:
        if config.get("model_type", "dinov3_vit") != "dinov3_vit":
            raise BundleError(f"engines.torch.config.model_type: {config['model_type']!r} is not dinov3_vit")
        _check_activation(config)
        return Shape(
            width=config["hidden_size"],
            layers=config["num_hidden_layers"],
            heads=config["num_attention_heads"],
            mlp=config["intermediate_size"],
            gated=config["use_gated_mlp"],
            patch=config["patch_size"],
            registers=config["num_register_tokens"],
            theta=config["rope_theta"],
            eps=config["layer_norm_eps"],
            pixels=(height, width),
        )
    except KeyError as missing:
        raise BundleError(f"engines.torch.config: {missing} is missing; export the bundle again") from missing


def _check_activation(config: Mapping[str, Any]) -> None:
    wanted = "silu" if config["use_gated_mlp"] else "gelu"
    if (found := config.get("hidden_act", wanted)) != wanted:
        raise BundleError(f"engines.torch.config.hidden_act: {found!r} is not {wanted}; serve another engine")
