"""Run by the environment of a quantiser, `vlm.py make|answer`: a tiny random Qwen, and what it answers."""

import json
import sys
from pathlib import Path
from typing import Any

WORDS = ("<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
TEXT = {"hidden_size": 128, "intermediate_size": 256, "num_hidden_layers": 2, "num_attention_heads": 4}
SECTIONS = [4, 6, 6]
VISION = {"depth": 2, "intermediate_size": 128, "num_heads": 2, "patch_size": 14, "spatial_merge_size": 2}


def make(family: str, folder: str) -> None:
    import torch
    import transformers

    tokens = _tokenizer(Path(folder))
    ids = {"image_token_id": tokens["<|image_pad|>"], "video_token_id": tokens["<|video_pad|>"]}
    ids |= {"vision_start_token_id": tokens["<|vision_start|>"]}
    config, network = _family(transformers, family, ids, len(tokens))
    torch.manual_seed(0)
    network(config).save_pretrained(folder)


def _family(transformers: Any, family: str, ids: dict[str, int], words: int) -> tuple[Any, Any]:
    text = TEXT | {"num_key_value_heads": 2, "vocab_size": words, "tie_word_embeddings": False}
    rope = {"rope_scaling": {"type": "mrope", "rope_type": "default", "mrope_section": SECTIONS}}
    if family == "qwen3_vl":
        vision = VISION | {"hidden_size": 64, "out_hidden_size": 128, "deepstack_visual_indexes": [0]}
        vision |= {"num_position_embeddings": 256}
        parts = {"text_config": text | rope | {"head_dim": 32}, "vision_config": vision}
        config = transformers.Qwen3VLConfig(**parts, **ids)
        return config, transformers.Qwen3VLForConditionalGeneration
    vision = VISION | {
        "hidden_size": 64,
        "out_hidden_size": 128,
        "window_size": 112,
        "fullatt_block_indexes": [1],
    }
    if int(transformers.__version__.split(".")[0]) < 5:
        config = transformers.Qwen2_5_VLConfig(**text, **rope, vision_config=vision, **ids)
    else:
        config = transformers.Qwen2_5_VLConfig(text_config=text | rope, vision_config=vision, **ids)
    return config, transformers.Qwen2_5_VLForConditionalGeneration


def _tokenizer(folder: Path) -> dict[str, int]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = {letter: number for number, letter in enumerate(sorted(pre_tokenizers.ByteLevel.alphabet()))}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, additional_special_tokens=list(WORDS))
    fast.save_pretrained(folder)
    looks = {"image_processor_type": "Qwen2VLImageProcessor", "patch_size": 14, "merge_size": 2}
    looks |= {"temporal_patch_size": 2, "min_pixels": 784, "max_pixels": 50176}
    (folder / "preprocessor_config.json").write_text(json.dumps(looks))
    return dict(fast.get_vocab())


def answer(model: str, job: str, out: str) -> None:
    """The logits after each question, of a model as transformers loads it."""
    import numpy as np
    import torch
    from transformers import AutoModelForImageTextToText

    from pipeline.awq.job import Job, questions

    loaded = _dequantised(model) if _is_autoawq(model) else None
    network = loaded or AutoModelForImageTextToText.from_pretrained(model).eval()
    asked = questions(Job(**json.loads(job)))
    for one in asked if "autoawq" in sys.prefix else ():
        del one["mm_token_type_ids"]
    with torch.inference_mode():
        logits = np.concatenate([network(**one).logits[:, -1].float().numpy() for one in asked])
        vision = (
            torch.cat([part.float().flatten() for part in network.model.visual.parameters()])
            if hasattr(network.model, "visual")
            else torch.cat([part.float().flatten() for part in network.visual.parameters()])
        )
    np.savez(out, logits=logits, vision=vision.numpy())


def _is_autoawq(model: str) -> bool:
    quantisation = json.loads((Path(model) / "config.json").read_text()).get("quantization_config", {})
    return quantisation.get("quant_method") == "awq"


def _dequantised(model: str) -> Any:
    """AutoAWQ's kernels need a GPU: here its integers are multiplied out by hand, into the plain network."""
    from safetensors.torch import load_file
    from transformers import AutoConfig, AutoModelForImageTextToText

    config = AutoConfig.from_pretrained(model)
    group = config.quantization_config["group_size"]
    del config.quantization_config
    held = load_file(next(Path(model).glob("*.safetensors")))
    plain = {
        name: value for name, value in held.items() if not name.endswith(("qweight", "qzeros", "scales"))
    }
    for name in [name.removesuffix(".qweight") for name in held if name.endswith(".qweight")]:
        integers, zeros = _unpacked(held[f"{name}.qweight"]), _unpacked(held[f"{name}.qzeros"])
        scales = held[f"{name}.scales"].float()
        wide = [part.repeat_interleave(group, 0) for part in (zeros, scales)]
        plain[f"{name}.weight"] = ((integers - wide[0]) * wide[1]).T.contiguous()
    network = AutoModelForImageTextToText.from_config(config).float()
    network.load_state_dict({name: value.float() for name, value in plain.items()}, strict=True)
    return network.eval()


def _unpacked(packed: Any) -> Any:
    """Eight numbers of four bits lie in each word, in the order that AutoAWQ's kernels like."""
    import torch

    order = torch.tensor([0, 4, 1, 5, 2, 6, 3, 7]) * 4
    return ((packed[:, :, None] >> order) & 15).flatten(1).float()


if __name__ == "__main__":
    {"make": make, "answer": answer}[sys.argv[1]](*sys.argv[2:])
