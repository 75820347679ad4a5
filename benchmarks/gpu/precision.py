"""What float8 and int8 gain in time, and what they cost in logits and in answers that flip.

With weights by chance, which show how rounding adds up; what it does to a trained head its gate says.
"""

from typing import Any

import torch
from torch import Tensor

from benchmarks.gpu import contenders
from benchmarks.gpu.race import race
from inference_runtime.vit import weights
from inference_runtime.vit.plain import Plain
from inference_runtime.vit.shape import known

LOW = ("fp16", "bf16", "fp8", "int8")
JUDGED = 512


def measured(quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    vit = weights.random(known("vits16" if quick else "vitl16"))
    wanted_pictures = contenders.pictures(vit, 64 if quick else JUDGED)
    wanted = _float32(vit, wanted_pictures)
    kinds = [kind for kind in LOW if kind != "fp8" or torch.cuda.get_device_capability() >= (8, 9)]
    rows: list[dict[str, Any]] = []
    for batch in (8,) if quick else (32, 128):
        pixels = contenders.pictures(vit, batch)
        engines = {kind: contenders.ours(vit, kind, pixels) for kind in kinds}
        times = race({kind: one.graph.replay for kind, one in engines.items()}, rounds=9, calls=5)
        for kind, one in engines.items():
            apart = _apart(_answers(one, pixels, wanted_pictures), wanted)
            faster = times["bf16"] / times[kind]
            rows.append({"type": kind, "batch": batch, "ms": times[kind], "times_bf16": faster} | apart)
    return rows, {f"{row['type']} batch {row['batch']}: times bf16": row["times_bf16"] for row in rows}


def _float32(vit: weights.Vit, pictures: Tensor) -> Tensor:
    exact = torch.backends.cuda.matmul.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = False
    model = Plain(vit).to("cuda")
    with torch.inference_mode():
        found = torch.cat([model(part) for part in pictures.split(16)])
    torch.backends.cuda.matmul.allow_tf32 = exact
    return found


def _answers(one: contenders.Ours, pixels: Tensor, pictures: Tensor) -> Tensor:
    found = []
    for part in pictures.split(len(pixels)):
        pixels[: len(part)].copy_(part)
        one.graph.replay()
        found.append(one.logits[: len(part)].clone())
    return torch.cat(found)


def _apart(found: Tensor, wanted: Tensor) -> dict[str, float]:
    # Noise gives logits that hardly differ: their median is where half the answers would flip.
    fence = wanted.median()
    flips = ((found > fence) != (wanted > fence)).float().mean()
    return {"logit_max": float((found - wanted).abs().max()), "flips": float(flips)}
