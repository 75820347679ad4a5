"""A frozen backbone and the small head that is ours: pixels in, one calibrated logit out."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor, nn

from inference_runtime.errors import Fixable
from inference_runtime.predictor import sigmoid
from pipeline import backbones
from pipeline.backbones.frozen import Frozen
from pipeline.params import Backbone

FILE = "head.safetensors"
FORMAT = 1


@dataclass(frozen=True)
class Head:
    """logit = (weight . vector + bias) / temperature + offset; above 0 is roadwork."""

    weight: NDArray[np.float32]
    bias: float
    temperature: float
    offset: float

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        raw = vectors.astype(np.float64) @ self.weight.astype(np.float64) + self.bias
        return (raw / self.temperature + self.offset).astype(np.float32)

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return sigmoid(self.logits(vectors))


class Classifier(nn.Module):
    """uint8 pixels [N,H,W,3] -> float32 logit [N]: the function that an engine must equal."""

    def __init__(self, backbone: Frozen, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.linear = nn.Linear(len(head.weight), 1)
        self.linear.weight.data = torch.from_numpy(head.weight)[None].clone()
        self.linear.bias.data = torch.tensor([head.bias], dtype=torch.float32)
        self.temperature, self.offset = head.temperature, head.offset
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        raw: Tensor = self.linear(self.backbone(pixels)).squeeze(1)
        return raw / self.temperature + self.offset


def from_folder(folder: Path, backbone: Backbone) -> Classifier:
    """The classifier whose head lies in a bundle or in the train stage's folder."""
    head = read(folder, backbone)
    return Classifier(backbones.load(backbone), head)


def write(head: Head, folder: Path, backbone: Backbone) -> None:
    """Equal heads give equal bytes."""
    numbers = np.array([head.bias, head.temperature, head.offset], np.float64)
    # One key: safetensors writes several in any order.
    facts = json.dumps({"format": FORMAT, "backbone": _facts(backbone)}, sort_keys=True)
    tensors = {"weight": head.weight, "numbers": numbers}
    (folder / FILE).write_bytes(save(tensors, metadata={"head": facts}))


def read(folder: Path, backbone: Backbone) -> Head:
    """Refuses the head of another backbone: it would answer, but nonsense."""
    file = folder / FILE
    try:
        with safe_open(file, framework="numpy") as opened:
            facts = json.loads((opened.metadata() or {}).get("head", "{}"))
            weight, numbers = opened.get_tensor("weight"), opened.get_tensor("numbers")
    except (FileNotFoundError, SafetensorError) as error:
        raise Fixable(f"{file}: no readable head ({_line(error)}); run `python -m pipeline train`") from None
    _check(file, facts, backbone)
    bias, temperature, offset = map(float, numbers)
    return Head(weight, bias, temperature, offset)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / FILE).read_bytes()).hexdigest()


def _check(file: Path, facts: dict[str, Any], backbone: Backbone) -> None:
    if facts.get("format") != FORMAT:
        raise Fixable(f"{file}: not of format {FORMAT}; run `python -m pipeline train`")
    for key, wanted in _facts(backbone).items():
        if (found := facts["backbone"].get(key)) != wanted:
            raise Fixable(
                f"{file}: made for backbone.{key} {found!r}, but params.yaml says {wanted!r};"
                " run `python -m pipeline train` or set it back"
            )


def _facts(backbone: Backbone) -> dict[str, Any]:
    return {
        "name": backbone.name,
        "weights": backbones.identity(backbone),
        "width": backbone.width,
        "height": backbone.height,
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
