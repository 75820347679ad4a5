"""AWQ by AutoAWQ 0.2.9, which is archived: `make env-autoawq`. Writes the format that bears its name."""

import sys
from typing import Any

from pipeline.awq import job as jobs
from pipeline.awq.job import Job


def quantise(job: Job) -> None:
    from awq import AutoAWQForCausalLM

    asked = _stacked(jobs.questions(job))
    model = AutoAWQForCausalLM.from_pretrained(job.model, device_map="cpu", safetensors=True)
    model.quantize(
        tokenizer=None,
        quant_config={"zero_point": True, "q_group_size": job.group, "w_bit": 4, "version": "GEMM"},
        calib_data=asked,
        quantizer_cls=_seeing(),
    )
    model.save_quantized(job.out)


def _stacked(asked: list[dict[str, Any]]) -> dict[str, Any]:
    import torch

    # This transformers finds the picture's tokens by their number alone.
    wanted = [key for key in asked[0] if key != "mm_token_type_ids"]
    return {key: torch.cat([one[key] for one in asked]) for key in wanted}


def _seeing() -> type:
    from awq.quantize.quantizer import AwqQuantizer

    class Stop(Exception):
        """Enough was seen."""

    class Seeing(AwqQuantizer):  # type: ignore[misc]
        """AutoAWQ calibrates on text alone; here the layers meet what they will meet, pictures included."""

        def init_quant(self, n_samples: int = 0, max_seq_len: int = 0) -> tuple[Any, dict[str, Any], Any]:
            layers = self.awq_model.get_model_layers(self.model)
            caught: list[tuple[Any, dict[str, Any]]] = []

            def catch(_: Any, args: Any, named: dict[str, Any]) -> None:
                caught.append((args, named))
                raise Stop

            hook = layers[0].register_forward_pre_hook(catch, with_kwargs=True)
            try:
                self.model(**self.calib_data, use_cache=False)
            except Stop:
                hook.remove()
            [(args, named)] = caught
            hidden = args[0] if args else named.pop("hidden_states")
            return layers, named, hidden

    return Seeing


if __name__ == "__main__":
    sys.exit(jobs.run(quantise))
