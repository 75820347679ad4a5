"""AWQ by llmcompressor, which is maintained: `make env-awq`. Writes the format compressed-tensors."""

import sys
from typing import Any

from pipeline.awq import job as jobs
from pipeline.awq.job import Job


def quantise(job: Job) -> None:
    import torch
    from llmcompressor import oneshot
    from transformers import AutoModelForImageTextToText, AutoTokenizer

    model = AutoModelForImageTextToText.from_pretrained(job.model, dtype="auto").eval()
    asked = jobs.questions(job)
    if not torch.accelerator.is_available():
        _leave_memory_unpinned()
    oneshot(
        model=model,
        processor=AutoTokenizer.from_pretrained(job.model),
        recipe=_recipe(job),
        dataset=_loader(asked),
        num_calibration_samples=len(asked),
        pipeline="sequential",
    )
    model.save_pretrained(job.out, save_compressed=True)


def _loader(asked: Any) -> Any:
    from torch.utils.data import DataLoader

    return DataLoader(asked, batch_size=1, collate_fn=lambda batch: batch[0])


def _recipe(job: Job) -> list[Any]:
    from llmcompressor.modifiers.quantization import QuantizationModifier
    from llmcompressor.modifiers.transform.awq import AWQModifier

    weights = {"num_bits": 4, "type": "int", "symmetric": True, "group_size": job.group, "strategy": "group"}
    groups = {"group_0": {"targets": ["Linear"], "weights": weights}}
    return [
        AWQModifier(duo_scaling=True, n_grid=job.grid),
        QuantizationModifier(ignore=list(jobs.KEPT), config_groups=groups),
    ]


def _leave_memory_unpinned() -> None:
    # Its cache of activations pins memory even where there is no device to copy it to.
    from llmcompressor.pipelines.cache import IntermediatesCache

    IntermediatesCache.pin_memory = lambda self, *_, **__: None


if __name__ == "__main__":
    sys.exit(jobs.run(quantise))
