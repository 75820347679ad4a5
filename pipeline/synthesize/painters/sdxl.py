"""Stable Diffusion XL on this machine: from words, from a case, or at a mask within it."""

import os
from collections.abc import Sequence
from functools import cached_property
from itertools import groupby
from typing import Any

from PIL import Image, ImageFilter

from inference_runtime.errors import Fixable
from pipeline import params
from pipeline.synthesize import frames
from pipeline.synthesize.order import Declined, Mode, Order, Painting

# Pixels over which a patch fades into its case.
SEAM = 4


class Sdxl:
    modes: frozenset[Mode] = frozenset({"text", "image", "add", "remove"})

    def __init__(self, settings: params.Sdxl) -> None:
        self._settings = settings
        self.batch = settings.batch

    def price(self, order: Order) -> float:
        return 0.0

    def paint(self, orders: Sequence[Order]) -> list[Painting | Declined]:
        """Neighbours of one mode go through the pipeline together."""
        painted: list[Painting | Declined] = []
        for mode, alike in groupby(orders, key=lambda order: order.mode):
            painted += self._alike(mode, list(alike))
        return painted

    def _alike(self, mode: Mode, orders: Sequence[Order]) -> list[Painting | Declined]:
        match mode:
            case "text":
                return self._run(
                    self._words, orders, width=self._settings.width, height=self._settings.height
                )
            case "image":
                return self._run(
                    self._image, orders, image=self._cases(orders), strength=self._settings.strength
                )
            case "add" | "remove":
                return self._within(mode, orders)

    def _within(self, mode: Mode, orders: Sequence[Order]) -> list[Painting | Declined]:
        """At a mask, one by one: a case that shows nothing to take out is declined alone."""
        return [answer for order in orders for answer in self._masked(mode, order)]

    def _masked(self, mode: Mode, order: Order) -> list[Painting | Declined]:
        case = self._cases([order])[0]
        mask = frames.spot(case.width, case.height, order.seed) if mode == "add" else frames.orange(case)
        if mask is None:
            return [Declined("nothing in the case looks like roadwork, so nothing can be taken out", 0.0)]
        made = self._pictures(self._inpaint, [order], image=case, mask_image=mask, strength=0.99)[0]
        # Outside the mask the case itself: a trip through the VAE would leave its mark on every pixel.
        return [self._painting(Image.composite(made, case, mask.filter(ImageFilter.GaussianBlur(SEAM))))]

    def _run(self, pipeline: Any, orders: Sequence[Order], **given: Any) -> list[Painting | Declined]:
        return [self._painting(one) for one in self._pictures(pipeline, orders, **given)]

    def _painting(self, picture: Image.Image) -> Painting:
        return Painting(frames.jpeg(picture), self._settings.model, self._settings.revision, 0.0)

    def _pictures(self, pipeline: Any, orders: Sequence[Order], **given: Any) -> list[Image.Image]:
        import torch

        # One generator each, on the CPU: a painting does not depend on its neighbours or on the device.
        dice = [torch.Generator("cpu").manual_seed(order.seed) for order in orders]
        made = pipeline(
            prompt=[order.prompt for order in orders],
            negative_prompt=[order.negative for order in orders],
            num_inference_steps=self._settings.steps,
            guidance_scale=self._settings.guidance,
            generator=dice,
            **given,
        )
        return list(made.images)

    def _cases(self, orders: Sequence[Order]) -> list[Image.Image]:
        return [frames.case(order.case, self._settings.width, self._settings.height) for order in orders]

    @cached_property
    def _words(self) -> Any:
        return _pipeline(self._settings)

    @cached_property
    def _image(self) -> Any:
        from diffusers import AutoPipelineForImage2Image

        return AutoPipelineForImage2Image.from_pipe(self._words)

    @cached_property
    def _inpaint(self) -> Any:
        from diffusers import AutoPipelineForInpainting

        return AutoPipelineForInpainting.from_pipe(self._words)


def _pipeline(settings: params.Sdxl) -> Any:
    import torch
    from diffusers import StableDiffusionXLPipeline

    device = os.environ.get("DEVICE", "cpu")
    # Half precision has no fast path on a CPU, and overflows in this VAE without one.
    kind = torch.float32 if device == "cpu" else torch.float16
    half = {"variant": "fp16"} if kind == torch.float16 else {}
    given = {"revision": settings.revision, "dtype": kind, "use_safetensors": True}
    pipeline = loaded(StableDiffusionXLPipeline, settings.model, "sdxl", **given, **half)
    if settings.lora:
        pipeline.load_lora_weights(settings.lora)
    return placed(pipeline, device, settings.offload)


def loaded(kind: Any, model: str, section: str, **given: Any) -> Any:
    from diffusers.utils import logging

    logging.disable_progress_bar()
    try:
        return kind.from_pretrained(model, **given)
    except (OSError, ValueError) as error:
        line = " ".join(str(error).split())[:200]
        raise Fixable(f"params.yaml: synthesize.{section}.model {model}: cannot be loaded: {line}") from None


def placed(pipeline: Any, device: str, offload: bool) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    if offload and device != "cpu":
        pipeline.enable_model_cpu_offload(device=device)
        return pipeline
    return pipeline.to(device)
