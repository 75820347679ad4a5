"""The stage export: the classifier as one sealed folder that answers without training's libraries."""

import hashlib
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference_runtime import bundle
from inference_runtime.bundle import Bundle
from pipeline import backbones, samples
from pipeline.params import Backbone, Export

if TYPE_CHECKING:
    import polars as pl

    from pipeline.classifier import Classifier
    from pipeline.export.engines import Entry

CLASSES = ("clear", "roadwork")


def run(params: Export, backbone: Backbone, train: Path, assemble: Path, out: Path) -> None:
    from pipeline import classifier
    from pipeline.export import engines, memory, proof

    model = classifier.from_folder(train, backbone)
    memory.refuse_shortage(model)
    table = samples.read(assemble)
    shutil.copyfile(train / classifier.FILE, out / classifier.FILE)
    (out / "NOTICE").write_text(model.backbone.notice)
    built = engines.build(model, backbone, table, params, out)
    # Sealed twice: once so that the real runtime can be asked, and again with what it answered.
    sealed = _seal(out, built, model, backbone, assemble, params)
    proved = proof.proved(sealed, built, model, table, params)
    _drop(built.keys() - proved.keys(), built, proved, out)
    (out / "summary.json").write_text(json.dumps(_summary(proved), indent=2) + "\n")
    _seal(out, proved, model, backbone, assemble, params)


def _seal(
    out: Path,
    engines: "dict[str, Entry]",
    model: "Classifier",
    backbone: Backbone,
    assemble: Path,
    params: Export,
) -> Bundle:
    lineage = {
        "table": _digest((assemble / samples.FILE).read_bytes()),
        "head": _digest((out / "head.safetensors").read_bytes()),
        "backbone": {"name": backbone.name, "weights": backbones.identity(backbone)},
        "until": None,
    }
    return bundle.seal(
        out,
        classes=CLASSES,
        preprocess=backbone.spec,
        engines=engines,
        calibration={"temperature": model.temperature, "bias": model.offset},
        lineage=lineage,
        holdout=_holdout(samples.read(assemble)),
        cascade=params.cascade.model_dump(),
    )


def _drop(names: set[str], built: "dict[str, Entry]", kept: "dict[str, Entry]", out: Path) -> None:
    held = {entry["file"] for entry in kept.values()}
    for file in {built[name]["file"] for name in names} - held:
        (out / file).unlink()


def _summary(engines: "dict[str, Entry]") -> dict[str, Any]:
    plain = engines["onnx"]["parity"]
    others = {name: entry.get("parity", {}).get("flips") for name, entry in engines.items() if name != "onnx"}
    told = {"parity views": plain["views"], "max logit difference": plain["logit"]}
    return told | {f"{name} flips": flips for name, flips in others.items() if flips is not None}


def _holdout(table: "pl.DataFrame") -> str | None:
    """Names what this bundle may be judged on, because it has not learned from it."""
    held = table.filter(split="holdout")["image"].sort()
    return _digest("\n".join(held).encode()) if len(held) else None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
