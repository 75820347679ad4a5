"""The files of a bundle's engines, and what its manifest says of each."""

import hashlib
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, assert_never

import polars as pl

from pipeline.classifier import Classifier
from pipeline.export import graph
from pipeline.params import Backbone, Export

Entry = dict[str, Any]
Variant = Literal["onnx-fp16", "onnx-int8", "torch", "tensorrt"]

MODEL, HALF, INT8, WEIGHTS = "model.onnx", "model-fp16.onnx", "model-int8.onnx", "weights.safetensors"
BUILDERS = ("onnx", "onnxruntime", "onnxscript", "torch")


def build(
    model: Classifier, backbone: Backbone, table: pl.DataFrame, params: Export, out: Path
) -> dict[str, Entry]:
    """`onnx` always; each entry names its file, which lies in `out`."""
    graph.write(graph.exported(model, (backbone.height, backbone.width), params.opset), out / MODEL)
    built: dict[str, Entry] = {"onnx": {"file": MODEL, "precision": "fp32", "opset": params.opset}}
    for name in params.also:
        built[name] = _variant(name, model, backbone, table, params, out)
    if params.awq:
        from pipeline.export import awq

        built["awq"] = awq.build(params.awq, backbone, table, out)
    versions = {package: metadata.version(package) for package in BUILDERS}
    return {name: entry | _facts(out / entry["file"], versions) for name, entry in built.items()}


def _variant(
    name: Variant, model: Classifier, backbone: Backbone, table: pl.DataFrame, params: Export, out: Path
) -> Entry:
    match name:
        case "onnx-fp16":
            return _half(out) | {"opset": params.opset}
        case "onnx-int8":
            from pipeline.export import calibration, quantised

            quantised.write(
                out / MODEL, out / INT8, calibration.views(table, backbone, params.calibration_views)
            )
            return {"file": INT8, "precision": "int8", "opset": params.opset}
        case "torch":
            from pipeline.export import weights

            return {
                "file": WEIGHTS,
                "precision": "fp32",
                "config": weights.write(model, out / WEIGHTS),
            }
        case "tensorrt":
            return _planned(params, out)
        case _:
            assert_never(name)


def _half(out: Path) -> Entry:
    from pipeline.export import half

    half.write(out / MODEL, out / HALF)
    return {"file": HALF, "precision": "fp16"}


def _planned(params: Export, out: Path) -> Entry:
    """The graph that plans are built from: a plan belongs to one GPU, and lies in that machine's cache."""
    wanted = params.tensorrt
    source = _half(out) if wanted.precision == "fp16" else {"file": MODEL, "precision": "fp32"}
    shapes = {"max_batch": wanted.max_batch, "usual_batch": wanted.usual_batch}
    return source | {"opset": params.opset, **shapes, "workspace_mib": wanted.workspace_mib}


def _facts(file: Path, versions: dict[str, str]) -> Entry:
    with file.open("rb") as opened:
        return {"sha256": hashlib.file_digest(opened, "sha256").hexdigest(), "built_with": versions}
