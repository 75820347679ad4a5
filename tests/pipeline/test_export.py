"""Export: a sealed folder that answers, through the real runtime, what the training framework answers."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
import torch

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from inference_runtime.predictor import Predictor
from pipeline import backbones, classifier, export, features, images, samples
from pipeline.classifier import Classifier, Head
from pipeline.export import graph
from pipeline.params import Backbone, Export

PARAMS = Export(opset=20, parity_views=6, parity_logit=0.001)


def random_head(backbone: Backbone, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    weight = np.random.default_rng(72).normal(0, 0.3, backbones.load(backbone).dim).astype(np.float32)
    classifier.write(Head(weight, bias=0.1, temperature=1.3, offset=-0.2), folder, backbone)
    return folder


@pytest.fixture
def assemble(snap: Callable[[int, int], str], rooms: Path) -> Path:
    pictures = [snap(seed, seed % 2) for seed in range(8)]
    table = pl.DataFrame({"image": pictures}).with_columns(
        family=pl.col("image"),
        profile=pl.Series(["2026-01", "native"] * 4),
        label=pl.Series([0, 1] * 4),
        split=pl.Series(["train", "dev", "dev", "holdout"] * 2),
    )
    (rooms / "assemble").mkdir()
    samples.write(samples.conform(table, samples.ASSEMBLED), rooms / "assemble")
    return rooms / "assemble"


def run(backbone: Backbone, train: Path, assemble: Path, out: Path, params: Export = PARAMS) -> Path:
    out.mkdir(parents=True)
    export.run(params, backbone, train, assemble, out)
    return out


def test_a_bundle_is_whole_and_answers_as_trained(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train")
    sealed = bundle.load(run(tiny, train, assemble, rooms / "out"))
    assert sorted(sealed.manifest["files"]) == ["NOTICE", "head.safetensors", "model.onnx", "summary.json"]
    assert sealed.classes == ("clear", "roadwork")
    assert sealed.calibration == {"temperature": 1.3, "bias": -0.2}
    assert "DINOv3 License" in (sealed.folder / "NOTICE").read_text()
    assert sealed.lineage["head"] == hashlib.sha256((train / classifier.FILE).read_bytes()).hexdigest()
    assert sealed.lineage["table"] == hashlib.sha256((assemble / samples.FILE).read_bytes()).hexdigest()
    figures = json.loads((sealed.folder / "summary.json").read_text())
    assert figures["parity views"] == 6
    assert figures["max logit difference"] < 1e-4
    model = classifier.from_folder(sealed.folder, tiny)
    for image in samples.read(assemble)["image"]:
        [answer] = Predictor(sealed).predict([images.read(image)])
        [pixels] = features.look(image, ["native/0"], sealed.preprocess)
        with torch.inference_mode():
            assert answer.logit == pytest.approx(float(model(torch.from_numpy(pixels[None]))), abs=1e-4)


def test_the_bundle_names_its_holdout_and_nothing_of_its_order(
    tiny: Backbone, assemble: Path, rooms: Path
) -> None:
    sealed = bundle.load(run(tiny, random_head(tiny, rooms / "train"), assemble, rooms / "out"))
    held = sorted(samples.read(assemble).filter(split="holdout")["image"])
    assert sealed.holdout == hashlib.sha256("\n".join(held).encode()).hexdigest()


def test_equal_inputs_give_equal_bytes_elsewhere(
    tiny: Backbone, assemble: Path, rooms: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not in another working directory, either: the exporter would write down where its code lies."""
    train = random_head(tiny, rooms / "train")
    first = run(tiny, train, assemble, rooms / "first")
    (rooms / "else" / "where").mkdir(parents=True)
    monkeypatch.chdir(rooms / "else" / "where")
    second = run(tiny, train, assemble, rooms / "else" / "second")
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes(), file.name
    assert str(Path(torch.__file__).parent).encode() not in (first / "model.onnx").read_bytes()


@pytest.fixture(scope="module")
def real() -> Classifier:
    """The embedded default backbone with its real weights."""
    frozen = backbones.load(
        Backbone(name="efficientnet-lite0", revision=None, width=224, height=224, batch=1)
    )
    weight = np.random.default_rng(1).normal(0, 0.1, frozen.dim).astype(np.float32)
    return Classifier(frozen, Head(weight, bias=0.5, temperature=1.5, offset=-0.5))


def test_the_default_backbone_as_a_plain_graph(real: Classifier) -> None:
    """No branches, a free batch, normalisation inside; equal to float32 torch on real weights."""
    import onnxruntime

    data = graph.exported(real, (224, 224), 20)
    proto = onnx.load_from_string(data)
    assert not {"If", "Loop", "Scan"} & {node.op_type for node in proto.graph.node}
    assert "BatchNormalization" not in {node.op_type for node in proto.graph.node}
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 20)]
    [pixels] = proto.graph.input
    assert [dim.dim_param or dim.dim_value for dim in pixels.type.tensor_type.shape.dim] == ["N", 224, 224, 3]
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    for count in (1, 3):
        seen = np.random.default_rng(count).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
        [logits] = session.run(["logit"], {"pixels": seen})
        with torch.inference_mode():
            assert np.abs(logits - real(torch.from_numpy(seen)).numpy()).max() < 1e-4


def test_an_engine_that_answers_otherwise_is_refused(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train")
    impossible = PARAMS.model_copy(update={"parity_logit": 1e-12})
    with pytest.raises(
        Fixable, match=r"export\.parity_logit: the exported engine is .* off, allowed is 1e-12"
    ):
        run(tiny, train, assemble, rooms / "out", impossible)


def test_the_head_of_another_backbone_is_refused(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train")
    with pytest.raises(Fixable, match=r"made for backbone\.width 32"):
        run(tiny.model_copy(update={"width": 64}), train, assemble, rooms / "out")


def test_without_dev_there_is_nothing_to_compare_on(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    samples.write(samples.read(assemble).filter(pl.col("split") != "dev"), assemble)
    with pytest.raises(Fixable, match="split dev is empty"):
        run(tiny, random_head(tiny, rooms / "train"), assemble, rooms / "out")
