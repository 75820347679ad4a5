"""What the two quantisers have in common: a job in JSON, the same questions about the same pictures."""

import json
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

# Every picture is shown at one size, so that all questions are equally long and fit into one batch.
SIDE = 224
IMAGE = "<|image_pad|>"
ASKED = "<|im_start|>user\n<|vision_start|>{image}<|vision_end|>{question}<|im_end|>\n<|im_start|>assistant\n"
# Linear layers that stay as they are: the picture's own network, and the last layer, which no scale precedes.
KEPT = ("lm_head", "re:.*visual.*")


@dataclass(frozen=True)
class Job:
    model: str
    out: str
    images: tuple[str, ...]
    question: str
    group: int
    grid: int


def run(quantise: Callable[[Job], None]) -> int:
    """The last line on stderr says what went wrong; what led there stands above it."""
    job = Job(**json.loads(sys.argv[1]))
    try:
        quantise(job)
    except Exception as error:  # noqa: BLE001 - the edge of a process: whoever started it reads one line
        traceback.print_exc()
        print(" ".join(f"{type(error).__name__}: {error}".split())[:300], file=sys.stderr)
        return 1
    return 0


def questions(job: Job) -> list[dict[str, Any]]:
    """A batch of one per picture: the tensors that the model is called with."""
    from transformers import AutoTokenizer

    tokenizer, looks = AutoTokenizer.from_pretrained(job.model), _looks(job.model)
    return [_question(job, tokenizer, looks, Path(image)) for image in job.images]


def _looks(model: str) -> Any:
    """The family's own reader of pictures, in the variant that does without torchvision."""
    try:
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import (
            Qwen2VLImageProcessorPil as Looks,
        )
    except ImportError:  # before transformers 5
        from transformers import Qwen2VLImageProcessor as Looks
    return Looks.from_pretrained(model)


def _question(job: Job, tokenizer: Any, looks: Any, image: Path) -> dict[str, Any]:
    with Image.open(image) as opened:
        seen = looks(images=[opened.convert("RGB").resize((SIDE, SIDE))], return_tensors="pt")
    patches = int(seen["image_grid_thw"][0].prod()) // looks.merge_size**2
    text = ASKED.format(image=IMAGE * patches, question=job.question)
    asked = tokenizer(text, return_tensors="pt", add_special_tokens=False)
    ids = asked["input_ids"]
    place = tokenizer.convert_tokens_to_ids(IMAGE)
    return {
        "input_ids": ids,
        "attention_mask": asked["attention_mask"],
        "mm_token_type_ids": (ids == place).long(),
        "pixel_values": seen["pixel_values"],
        "image_grid_thw": seen["image_grid_thw"],
    }
