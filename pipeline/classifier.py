"""A frozen backbone and the small head that is ours: pixels in, one calibrated logit out."""

import hashlib
import json
from collections.abc import Sequence
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
from pipeline import backbones, looks
from pipeline.backbones.frozen import Frozen
from pipeline.looks import Look
from pipeline.params import Backbone

FILE = "head.safetensors"
FORMAT = 1
UNFILTERED = "bilinear"  # what heads of before there were filters do not say


@dataclass(frozen=True)
class Hidden:
    """A layer before the last: relu(weight @ vector + bias)."""

    weight: NDArray[np.float32]
    bias: NDArray[np.float32]

    def apply(self, vectors: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.maximum(vectors @ self.weight.astype(np.float64).T + self.bias, 0.0)


@dataclass(frozen=True)
class Head:
    """logit = (weight . vector + bias) / temperature + offset; above 0 is roadwork.

    With a hidden layer, `weight` weighs what that layer makes of the vector.
    """

    weight: NDArray[np.float32]
    bias: float
    temperature: float
    offset: float
    hidden: Hidden | None = None
    looks: tuple[Look, ...] = looks.WHOLE  # whoever asks with pixels gets their mean

    def logits(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        seen = vectors.astype(np.float64)
        seen = self.hidden.apply(seen) if self.hidden else seen
        raw = seen @ self.weight.astype(np.float64) + self.bias
        return (raw / self.temperature + self.offset).astype(np.float32)

    def probabilities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        return sigmoid(self.logits(vectors))


def averaged(heads: Sequence[Head]) -> Head:
    """One head that answers what the given ones answer on average, before any calibration.

    Linear heads average number by number; hidden layers stand side by side in one that is wider.
    """
    bias = float(np.mean([head.bias for head in heads]))
    layers = [head.hidden for head in heads if head.hidden]
    if not layers:
        mean = np.mean([head.weight.astype(np.float64) for head in heads], axis=0)
        return Head(mean.astype(np.float32), bias, 1.0, 0.0)
    weight = (np.concatenate([head.weight for head in heads]) / len(heads)).astype(np.float32)
    wide = Hidden(*(np.concatenate(part) for part in zip(*((x.weight, x.bias) for x in layers), strict=True)))
    return Head(weight, bias, 1.0, 0.0, wide)


class Classifier(nn.Module):
    """uint8 pixels [N,H,W,3] -> float32 logit [N]: the function that an engine must equal."""

    def __init__(self, backbone: Frozen, head: Head) -> None:
        super().__init__()
        self.backbone = backbone
        self.hidden = _layer(head.hidden.weight, head.hidden.bias) if head.hidden else None
        self.linear = _layer(head.weight[None], np.array([head.bias], np.float32))
        self.temperature, self.offset = head.temperature, head.offset
        self.looks = head.looks
        self.requires_grad_(False)
        self.eval()

    def forward(self, pixels: Tensor) -> Tensor:
        answers = [self._raw(looks.taken(pixels, look)) for look in self.looks]
        raw = answers[0] if len(answers) == 1 else torch.stack(answers).mean(0)
        return raw / self.temperature + self.offset

    def _raw(self, pixels: Tensor) -> Tensor:
        seen: Tensor = self.backbone(pixels)
        if self.hidden is not None:
            seen = self.hidden(seen).relu()
        raw: Tensor = self.linear(seen).squeeze(1)
        return raw


def _layer(weight: NDArray[np.float32], bias: NDArray[np.float32]) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    layer.weight.data = torch.from_numpy(weight).clone()
    layer.bias.data = torch.from_numpy(bias).clone()
    return layer


def from_folder(folder: Path, backbone: Backbone) -> Classifier:
    """The classifier whose head lies in a bundle or in the train stage's folder."""
    head = read(folder, backbone)
    return Classifier(backbones.load(backbone), head)


def write(head: Head, folder: Path, backbone: Backbone) -> None:
    """Equal heads give equal bytes."""
    numbers = np.array([head.bias, head.temperature, head.offset], np.float64)
    # One key: safetensors writes several in any order.
    facts = json.dumps({"format": FORMAT, "backbone": _facts(backbone), "looks": head.looks}, sort_keys=True)
    tensors = {"weight": head.weight, "numbers": numbers}
    if head.hidden:
        tensors |= {"hidden.weight": head.hidden.weight, "hidden.bias": head.hidden.bias}
    (folder / FILE).write_bytes(save(tensors, metadata={"head": facts}))


def read(folder: Path, backbone: Backbone) -> Head:
    """Refuses the head of another backbone: it would answer, but nonsense."""
    file = folder / FILE
    try:
        with safe_open(file, framework="numpy") as opened:
            facts = json.loads((opened.metadata() or {}).get("head", "{}"))
            held = {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    except (FileNotFoundError, SafetensorError) as error:
        raise Fixable(f"{file}: no readable head ({_line(error)}); run `python -m pipeline train`") from None
    _check(file, facts, backbone)
    bias, temperature, offset = map(float, held["numbers"])
    hidden = Hidden(held["hidden.weight"], held["hidden.bias"]) if "hidden.weight" in held else None
    looked = tuple(facts.get("looks", looks.WHOLE))
    return Head(held["weight"], bias, temperature, offset, hidden, looked)


def digest(folder: Path) -> str:
    return hashlib.sha256((folder / FILE).read_bytes()).hexdigest()


def _check(file: Path, facts: dict[str, Any], backbone: Backbone) -> None:
    if facts.get("format") != FORMAT:
        raise Fixable(f"{file}: not of format {FORMAT}; run `python -m pipeline train`")
    made = {"filter": UNFILTERED} | facts["backbone"]
    for key, wanted in _facts(backbone).items():
        if (found := made.get(key)) != wanted:
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
        "filter": backbone.filter,
    }


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
