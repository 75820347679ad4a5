"""Two models: one so small that the server dominates, one that dominates the server."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from inference_runtime import bundle
from inference_runtime.preprocess import Preprocess

SIDE = 224
OPSET = 18
CHANNELS = 8
PATCH = 16


def sealed(name: str, folder: Path, seed: int = 72) -> Path:
    """The folder of a bundle that holds the model `name`, made if it is not there; a seed, other answers."""
    place = folder / f"{name}-{seed}"
    if not (place / bundle.MANIFEST).exists():
        place.mkdir(parents=True, exist_ok=True)
        (place / "model.onnx").write_bytes(_nano(seed) if name == "nano" else _vit_tiny(place))
        bundle.seal(
            place,
            classes=("clear", "roadwork"),
            preprocess=Preprocess(SIDE, SIDE),
            engines={"onnx": {"file": "model.onnx", "precision": "fp32", "opset": OPSET}},
            calibration={"temperature": 1.0, "bias": 0.0},
            lineage={},
            holdout=None,
        )
    return place


def _nano(seed: int) -> bytes:
    """Patches to 8 channels, ReLU, mean, one logit: about 0.2 ms."""
    draw = np.random.default_rng(seed)
    weights: dict[str, NDArray[Any]] = {
        "patches": draw.normal(0, 0.05, (CHANNELS, 3, PATCH, PATCH)).astype(np.float32),
        "axes": np.array([2, 3], np.int64),
        "head": draw.normal(0, 1.5, (CHANNELS, 1)).astype(np.float32),
        "one": np.array([-1], np.int64),
        "scale": np.array(1 / 128, np.float32),
        "middle": np.array(128, np.float32),
    }
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["float", "middle"], ["centred"]),
        helper.make_node("Mul", ["centred", "scale"], ["normal"]),
        helper.make_node("Transpose", ["normal"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "patches"], ["features"], strides=[PATCH, PATCH]),
        helper.make_node("Relu", ["features"], ["active"]),
        helper.make_node("ReduceMean", ["active", "axes"], ["pooled"], keepdims=0),
        helper.make_node("MatMul", ["pooled", "head"], ["column"]),
        helper.make_node("Reshape", ["column", "one"], ["logit"]),
    ]
    return _model(nodes, weights)


def _model(nodes: Sequence[onnx.NodeProto], weights: dict[str, NDArray[Any]]) -> bytes:
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n"])
    held = [numpy_helper.from_array(values, name) for name, values in weights.items()]
    graph = helper.make_graph(nodes, "nano", [pixels], [logit], held)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
    return bytes(made.SerializeToString())


def _vit_tiny(folder: Path) -> bytes:
    """192 wide, 12 layers deep, untrained: what it says does not matter, what it costs does."""
    import torch
    from transformers import ViTConfig, ViTModel

    torch.manual_seed(72)
    shape = ViTConfig(
        hidden_size=192, num_hidden_layers=12, num_attention_heads=3, intermediate_size=768, image_size=SIDE
    )

    class Logit(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = ViTModel(shape, add_pooling_layer=False)
            self.head = torch.nn.Linear(shape.hidden_size, 1)

        def forward(self, pixels: torch.Tensor) -> torch.Tensor:
            planes = (pixels.float().permute(0, 3, 1, 2) - 128) / 64
            hidden = self.body(pixel_values=planes).last_hidden_state
            return torch.as_tensor(self.head(hidden[:, 0])[:, 0])

    file = folder / "draft.onnx"
    sample = torch.zeros(2, SIDE, SIDE, 3, dtype=torch.uint8)
    torch.onnx.export(
        Logit().eval(),
        (sample,),
        file,
        input_names=["pixels"],
        output_names=["logit"],
        dynamic_shapes={"pixels": {0: torch.export.Dim("n")}},
        opset_version=OPSET,
        external_data=False,
        verbose=False,
    )
    made = file.read_bytes()
    file.unlink()
    return made
