"""The weights that export writes are the ones that the GPU's engines read."""

from pathlib import Path

import numpy as np
import torch
from transformers import DINOv3ViTConfig, DINOv3ViTModel

from inference_runtime import bundle
from inference_runtime.engines import engine_for
from inference_runtime.preprocess import Preprocess
from pipeline.backbones import hf
from pipeline.backbones.frozen import Frozen
from pipeline.classifier import Classifier, Head
from pipeline.export import weights


def test_an_exported_classifier_answers_through_the_torch_engine(tmp_path: Path) -> None:
    sizes = {"hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2, "num_attention_heads": 2}
    network = DINOv3ViTModel(DINOv3ViTConfig(**sizes, num_register_tokens=4, patch_size=16, image_size=32))
    backbone = Frozen(network, hf.pooled, dim=128, mean=hf.MEAN, deviation=hf.DEVIATION, notice="")
    head = Head(np.random.default_rng().normal(size=128).astype(np.float32), 0.1, temperature=1.2, offset=0.3)
    model = Classifier(backbone, head)
    config = weights.write(model, tmp_path / "weights.safetensors")
    sealed = bundle.seal(
        tmp_path,
        classes=("clear", "roadwork"),
        preprocess=Preprocess(32, 32),
        engines={"torch": {"file": "weights.safetensors", "config": config}},
        calibration={"temperature": 1.2, "bias": 0.3},
        lineage={},
        holdout=None,
    )
    pixels = np.random.default_rng().integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    wanted = model(torch.from_numpy(pixels)).numpy()
    allowed = 5e-2 if torch.cuda.is_available() else 1e-4
    assert np.abs(engine_for(sealed, "torch").logits(pixels) - wanted).max() < allowed
