"""Tiny real bundles and pictures: a model that says how bright a picture is."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from inference_runtime import bundle
from inference_runtime.bundle import Bundle
from inference_runtime.preprocess import Preprocess

SIDE = 32


def brightness_model(gain: float, side: int) -> onnx.ModelProto:
    """pixels uint8 [N,H,W,3] -> logit float32 [N] = gain * (mean / 255 - 0.5)."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "scale"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "middle"], ["logit"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("scale", TensorProto.FLOAT, [], [gain / 255]),
        helper.make_tensor("middle", TensorProto.FLOAT, [], [gain / 2]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", side, side, 3])
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "brightness", [pixels], [logit], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def make_bundle(tmp_path: Path) -> Callable[..., Bundle]:
    """Another gain makes another bundle."""

    def make(name: str = "bundle", gain: float = 8.0) -> Bundle:
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(brightness_model(gain, SIDE).SerializeToString())
        return bundle.seal(
            folder,
            classes=["clear", "roadwork"],
            preprocess=Preprocess(SIDE, SIDE),
            engines={"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 18}},
            calibration={"temperature": 1.0, "bias": 0.0},
            lineage={"table": "0" * 64},
            holdout=None,
        )

    return make


@pytest.fixture
def make_picture() -> Callable[..., bytes]:
    """A JPEG of one grey, speckled by its seed so that no two are the same bytes."""

    def make(grey: int = 200, seed: int = 0, size: tuple[int, int] = (64, 48)) -> bytes:
        speckle = np.random.default_rng(seed).integers(-20, 20, (size[1], size[0], 3))
        pixels = (grey + speckle).clip(0, 255).astype(np.uint8)
        file = BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=90)
        return file.getvalue()

    return make
