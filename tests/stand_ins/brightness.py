"""A real classifier without weights: it looks at nothing but how bright a picture is."""

from pathlib import Path
from typing import Any

from onnx import TensorProto, helper

from inference_runtime import bundle
from inference_runtime.bundle import Bundle
from inference_runtime.preprocess import Preprocess


def model(side: int, slope: float, offset: float = 0.0) -> bytes:
    """pixels uint8 [n,side,side,3] -> logit float32 [n] = slope * mean - offset."""
    nodes = [
        helper.make_node("Cast", ["pixels"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["float", "axes"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "slope"], ["scaled"]),
        helper.make_node("Sub", ["scaled", "offset"], ["logit"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [3], [1, 2, 3]),
        helper.make_tensor("slope", TensorProto.FLOAT, [], [slope]),
        helper.make_tensor("offset", TensorProto.FLOAT, [], [offset]),
    ]
    pixels = helper.make_tensor_value_info("pixels", TensorProto.UINT8, ["n", side, side, 3])
    logit = helper.make_tensor_value_info("logit", TensorProto.FLOAT, ["n"])
    graph = helper.make_graph(nodes, "brightness", [pixels], [logit], constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    return bytes(made.SerializeToString())


def sealed(folder: Path, side: int, slope: float, offset: float = 0.0, **more: Any) -> Bundle:
    """A bundle of it, with whatever the folder holds already."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(model(side, slope, offset))
    said = {"classes": ("clear", "roadwork"), "calibration": {}, "lineage": {}, "holdout": None} | more
    engines = {"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 18}}
    return bundle.seal(folder, preprocess=Preprocess(side, side), engines=engines, **said)
