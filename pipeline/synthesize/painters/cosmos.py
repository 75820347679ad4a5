"""Cosmos Transfer 2.5 on this machine: the case's outlines under another sky."""

import os
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.synthesize import frames
from pipeline.synthesize.order import Declined, Mode, Order, Painting
from pipeline.synthesize.painters.sdxl import loaded, placed


class Cosmos:
    """It keeps what stands in the street, so it varies a case and never adds or removes."""

    modes: frozenset[Mode] = frozenset({"image"})
    batch = 1

    def __init__(self, settings: params.Cosmos, guardrail: Any = None) -> None:
        """NVIDIA's guardrail watches over the model unless another one is given, as its licence demands."""
        self._settings, self._guardrail = settings, guardrail

    def price(self, order: Order) -> float:
        return 0.0

    def paint(self, orders: Sequence[Order]) -> list[Painting | Declined]:
        return [self._painted(order) for order in orders]

    def _painted(self, order: Order) -> Painting:
        import torch

        settings = self._settings
        case = frames.case(order.case, settings.width, settings.height)
        frame = self._pipeline(
            # One frame is a video of length one, with none before it to go on from.
            controls=[frames.edges(case)],
            num_frames=1,
            num_frames_per_chunk=1,
            num_ar_conditional_frames=0,
            prompt=order.prompt,
            negative_prompt=order.negative,
            width=settings.width,
            height=settings.height,
            num_inference_steps=settings.steps,
            guidance_scale=settings.guidance,
            generator=torch.Generator("cpu").manual_seed(order.seed),
        ).frames[0][0]
        return Painting(frames.jpeg(frame), settings.model, settings.revision, 0.0)

    @cached_property
    def _pipeline(self) -> Any:
        import torch
        from diffusers import Cosmos2_5_TransferPipeline, CosmosControlNetModel

        settings, device = self._settings, os.environ.get("DEVICE", "cpu")
        kind = torch.float32 if device == "cpu" else torch.bfloat16
        control = loaded(
            CosmosControlNetModel,
            settings.model,
            "cosmos",
            revision=settings.control_revision,
            # A folder of one's own holds it beside the rest; on the hub it is a revision by itself.
            subfolder="controlnet" if Path(settings.model).is_dir() else None,
            dtype=kind,
        )
        guardrail = {"safety_checker": self._guardrail} if self._guardrail else {}
        pipeline = loaded(
            Cosmos2_5_TransferPipeline,
            settings.model,
            "cosmos",
            revision=settings.revision,
            controlnet=control,
            dtype=kind,
            use_safetensors=True,
            **guardrail,
        )
        return placed(pipeline, device, settings.offload)
