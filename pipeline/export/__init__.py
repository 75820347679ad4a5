"""The stage export: the classifier as one sealed folder that answers without training's libraries."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime import bundle
from inference_runtime.bundle import Bundle
from inference_runtime.preprocess import Preprocess
from pipeline import backbones, samples
from pipeline.params import Backbone, Export

if TYPE_CHECKING:
    import polars as pl

    from pipeline.classifier import Classifier

CLASSES = ("clear", "roadwork")
MODEL = "model.onnx"


def run(params: Export, backbone: Backbone, train: Path, assemble: Path, out: Path) -> None:
    from pipeline import classifier
    from pipeline.export import graph, parity

    model = classifier.from_folder(train, backbone)
    (out / MODEL).write_bytes(graph.exported(model, (backbone.height, backbone.width), params.opset))
    shutil.copyfile(train / classifier.FILE, out / classifier.FILE)
    (out / "NOTICE").write_text(model.backbone.notice)
    # Sealed twice: once so that the real runtime can be asked, and again with what it answered.
    sealed = _seal(out, model, backbone, assemble, params)
    figures = parity.measured(sealed, model, samples.read(assemble), params)
    (out / "summary.json").write_text(json.dumps(figures, indent=2) + "\n")
    _seal(out, model, backbone, assemble, params)


def _seal(out: Path, model: "Classifier", backbone: Backbone, assemble: Path, params: Export) -> Bundle:
    lineage = {
        "table": _digest((assemble / samples.FILE).read_bytes()),
        "head": _digest((out / "head.safetensors").read_bytes()),
        "backbone": {"name": backbone.name, "weights": backbones.identity(backbone)},
        "until": None,
    }
    return bundle.seal(
        out,
        classes=CLASSES,
        preprocess=Preprocess(backbone.width, backbone.height),
        engines={"onnx": {"file": MODEL, "precision": "fp32", "opset": params.opset}},
        calibration={"temperature": model.temperature, "bias": model.offset},
        lineage=lineage,
        holdout=_holdout(samples.read(assemble)),
    )


def _holdout(table: "pl.DataFrame") -> str | None:
    """Names what this bundle may be judged on, because it has not learned from it."""
    held = table.filter(split="holdout")["image"].sort()
    return _digest("\n".join(held).encode()) if len(held) else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
