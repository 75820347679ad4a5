"""Export: a sealed folder that answers, through the real runtime, what the training framework answers."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from torch.nn.functional import interpolate

from inference_runtime import bundle
from inference_runtime.band import Band
from inference_runtime.errors import Fixable
from inference_runtime.predictor import Predictor
from pipeline import backbones, classifier, export, features, images, measured, params, samples
from pipeline.classifier import Classifier, Head
from pipeline.export import graph, memory
from pipeline.looks import WHOLE, Look
from pipeline.params import Backbone, Budget, Budgets, Export

SHIPPED = params.load(Path(__file__).parents[2] / "params.yaml").export
PARAMS = SHIPPED.model_copy(update={"parity_views": 6, "calibration_views": 4, "latency_runs": 2})
# On a network this small int8 gains nothing and costs much; whether it is offered is a test of its own.
LOOSE = Budget(logit=100.0, flips=1.0, clear_flips=1.0, reward=1.0)
EAGER = PARAMS.model_copy(
    update={
        "also": ("onnx-fp16", "onnx-int8", "torch"),
        "budgets": Budgets(fp32=SHIPPED.budgets.fp32, fp16=SHIPPED.budgets.fp16, int8=LOOSE),
        "int8_speedup": 0.001,
    }
)


def random_head(backbone: Backbone, folder: Path, looked: tuple[Look, ...] = WHOLE) -> Path:
    folder.mkdir(exist_ok=True)
    weight = np.random.default_rng(72).normal(0, 0.3, backbones.load(backbone).dim).astype(np.float32)
    classifier.write(Head(weight, 0.1, 1.3, -0.2, looks=looked), folder, backbone)
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


def run(backbone: Backbone, train: Path, assemble: Path, out: Path, wanted: Export = PARAMS) -> Path:
    out.mkdir(parents=True)
    export.run(wanted, backbone, train, assemble, out)
    return out


def test_a_bundle_is_whole_and_answers_as_trained(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    sharp = tiny.model_copy(update={"filter": "lanczos"})
    train = random_head(sharp, rooms / "train")
    sealed = bundle.load(run(sharp, train, assemble, rooms / "out"))
    assert sealed.preprocess == sharp.spec
    assert sorted(sealed.manifest["files"]) == ["NOTICE", "head.safetensors", "model.onnx", "summary.json"]
    assert sealed.classes == ("clear", "roadwork")
    assert sealed.calibration == {"temperature": 1.3, "bias": -0.2}
    assert sealed.band == Band(low=0.15, high=0.85, blend=0.5)
    assert "DINOv3 License" in (sealed.folder / "NOTICE").read_text()
    assert sealed.lineage["head"] == hashlib.sha256((train / classifier.FILE).read_bytes()).hexdigest()
    assert sealed.lineage["table"] == hashlib.sha256((assemble / samples.FILE).read_bytes()).hexdigest()
    figures = json.loads((sealed.folder / "summary.json").read_text())
    assert figures["parity views"] == 6
    assert figures["max logit difference"] < 1e-4
    model = classifier.from_folder(sealed.folder, sharp)
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
    first = run(tiny, train, assemble, rooms / "first", EAGER)
    (rooms / "else" / "where").mkdir(parents=True)
    monkeypatch.chdir(rooms / "else" / "where")
    monkeypatch.setenv("MEASURED", str(rooms / "another machine"))
    second = run(tiny, train, assemble, rooms / "else" / "second", EAGER)
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

    proto = graph.exported(real, (224, 224), 20)
    assert not {"If", "Loop", "Scan"} & {node.op_type for node in proto.graph.node}
    assert "BatchNormalization" not in {node.op_type for node in proto.graph.node}
    assert [(one.domain, one.version) for one in proto.opset_import] == [("", 20)]
    [pixels] = proto.graph.input
    assert [dim.dim_param or dim.dim_value for dim in pixels.type.tensor_type.shape.dim] == ["N", 224, 224, 3]
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    for count in (1, 3):
        seen = np.random.default_rng(count).integers(0, 256, (count, 224, 224, 3), dtype=np.uint8)
        [logits] = session.run(["logit"], {"pixels": seen})
        with torch.inference_mode():
            assert np.abs(logits - real(torch.from_numpy(seen)).numpy()).max() < 1e-4


def test_an_engine_that_answers_otherwise_is_refused(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train")
    strict = SHIPPED.budgets.model_copy(
        update={"fp32": Budget(logit=1e-12, flips=0, clear_flips=0, reward=0)}
    )
    impossible = PARAMS.model_copy(update={"budgets": strict})
    with pytest.raises(Fixable, match=r"export\.budgets\.fp32: .* is off: logit .* is over 1e-12"):
        run(tiny, train, assemble, rooms / "out", impossible)


def test_every_engine_answers_through_the_runtime_and_says_what_it_cost(
    tiny: Backbone, assemble: Path, rooms: Path
) -> None:
    sealed = bundle.load(run(tiny, random_head(tiny, rooms / "train"), assemble, rooms / "out", EAGER))
    assert set(sealed.engines) == {"onnx", "onnx-fp16", "onnx-int8", "torch"}
    pixels = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    plain = Predictor(sealed).probabilities(pixels)
    for name, apart in (("onnx-fp16", 0.01), ("onnx-int8", 0.25)):
        predictor = Predictor(sealed, engine=name)
        assert predictor.engine == name
        assert np.abs(predictor.probabilities(pixels) - plain).max() < apart
    for name, entry in sealed.engines.items():
        assert entry["sha256"] == sealed.manifest["files"][entry["file"]]["sha256"]
        assert {"torch", "onnxruntime"} <= set(entry["built_with"])
        assert entry["parity"]["views"] == 6, name


def test_what_was_measured_lies_beside_the_bundle(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    """Once per file and machine: another export of the same bytes measures nothing, and decides the same."""
    train = random_head(tiny, rooms / "train")
    sealed = bundle.load(run(tiny, train, assemble, rooms / "out", EAGER))
    assert sealed.measured is None
    told = measured.of(sealed)
    assert told is not None
    assert set(told) == {"onnx", "onnx-fp16", "onnx-int8", "torch"}
    assert told["onnx"]["times_fp32"] == 1.0 and told["onnx"]["ms_p50"] > 0
    assert told["onnx-int8"]["hardware"]["cores"]
    again = bundle.load(run(tiny, train, assemble, rooms / "again", EAGER))
    assert again.id == sealed.id
    assert measured.of(again) == told
    attached = bundle.attach(sealed.folder, version="1.0.0", verdict={}, measured=told)
    assert attached.id == sealed.id
    assert attached.measured == told


def test_a_variant_over_its_budget_is_left_out_and_said(
    tiny: Backbone, assemble: Path, rooms: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slow = EAGER.model_copy(update={"int8_speedup": 1e6})
    sealed = bundle.load(run(tiny, random_head(tiny, rooms / "train"), assemble, rooms / "out", slow))
    assert set(sealed.engines) == {"onnx", "onnx-fp16", "torch"}
    assert "model-int8.onnx" not in sealed.manifest["files"]
    assert "export: onnx-int8 is not offered:" in capsys.readouterr().err


def test_the_weights_alone_are_the_whole_network(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    from safetensors.torch import load_file
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    sealed = bundle.load(run(tiny, random_head(tiny, rooms / "train"), assemble, rooms / "out", EAGER))
    entry, tensors = sealed.engines["torch"], load_file(sealed.folder / "weights.safetensors")
    head = {name: tensors.pop(name) for name in ("head.weight", "head.bias")}
    network = DINOv3ViTModel(DINOv3ViTConfig(**entry["config"], image_size=32)).eval()
    network.load_state_dict({name.removeprefix("backbone."): value for name, value in tensors.items()})
    frozen = backbones.load(tiny)
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        seen = ((pixels.float() - frozen.mean) / frozen.deviation).permute(0, 3, 1, 2)
        tokens = network(seen).last_hidden_state
        vectors = torch.cat([tokens[:, 0], tokens[:, 5:].mean(1)], 1)
        raw = (vectors @ head["head.weight"].T + head["head.bias"]).squeeze(1)
        expected = classifier.from_folder(sealed.folder, tiny)(pixels)
    logits = raw / sealed.calibration["temperature"] + sealed.calibration["bias"]
    torch.testing.assert_close(logits, expected, atol=1e-5, rtol=1e-5)


def test_several_looks_are_one_function_in_every_engine(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train", ("whole", "mirror", "middle"))
    wanted = EAGER.model_copy(update={"also": ("onnx-fp16",)})
    sealed = bundle.load(run(tiny, train, assemble, rooms / "out", wanted))
    once = classifier.from_folder(random_head(tiny, rooms / "once"), tiny)
    pixels = torch.randint(0, 256, (2, 32, 32, 3), dtype=torch.uint8)
    with torch.inference_mode():
        enlarged = interpolate(pixels[:, 2:30, 2:30].permute(0, 3, 1, 2).float(), (32, 32), mode="bilinear")
        looked = (pixels, pixels.flip(2), enlarged.permute(0, 2, 3, 1))
        expected = torch.stack([once(look) for look in looked]).mean(0)
        torch.testing.assert_close(classifier.from_folder(sealed.folder, tiny)(pixels), expected)
    assert set(sealed.engines) == {"onnx", "onnx-fp16"}
    served = Predictor(sealed).logits(pixels.numpy())
    np.testing.assert_allclose(served, expected.numpy(), atol=1e-4)


def test_weights_alone_look_once(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train", ("whole", "mirror"))
    with pytest.raises(Fixable, match=r"params\.yaml: train\.looks: the torch engine looks once"):
        run(tiny, train, assemble, rooms / "out", EAGER)


def test_weights_alone_need_a_network_that_an_engine_knows(assemble: Path, rooms: Path) -> None:
    default = Backbone(name="efficientnet-lite0", revision=None, width=224, height=224, batch=1)
    with pytest.raises(Fixable, match=r"export\.also: torch is for DINOv3 backbones only"):
        run(default, random_head(default, rooms / "train"), assemble, rooms / "out", EAGER)


def test_too_little_memory_is_said_before_the_work(real: Classifier) -> None:
    with pytest.raises(Fixable, match=r"export: needs about 1\.1 GiB of memory, but 0\.5 are free"):
        memory.refuse_shortage(real, free=2**29)
    memory.refuse_shortage(real, free=2**33)


def test_weights_over_the_limit_lie_beside_the_graph(real: Classifier, tmp_path: Path) -> None:
    import onnxruntime

    proto = graph.exported(real, (224, 224), 20)
    graph.write(proto, tmp_path / "one.onnx")
    graph.write(proto, tmp_path / "two.onnx", limit=2**20)
    assert (tmp_path / "two.onnx.data").stat().st_size > 10 * (tmp_path / "two.onnx").stat().st_size
    pixels = np.random.default_rng(0).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    answers = [
        onnxruntime.InferenceSession(tmp_path / name).run(None, {"pixels": pixels})[0]
        for name in ("one.onnx", "two.onnx")
    ]
    assert answers[0] == answers[1]


@pytest.mark.parametrize("kind", ["dinov3", "dinov2"])
def test_positions_are_baked_for_the_size(kind: str, dinov3: Path, tmp_path: Path) -> None:
    """No sines, no resizing, no shapes to compute with: what engines stumble over is a constant."""
    from transformers import Dinov2Config, Dinov2Model

    folder, side = dinov3, 48
    if kind == "dinov2":
        small = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2}
        Dinov2Model(Dinov2Config(**small, patch_size=14, image_size=28)).save_pretrained(tmp_path)
        folder, side = tmp_path, 42
    frozen = backbones.load(Backbone(name=str(folder), revision=None, width=side, height=side, batch=1))
    head = Head(np.full(frozen.dim, 0.1, np.float32), bias=0.0, temperature=1.0, offset=0.0)
    proto = graph.exported(Classifier(frozen, head), (side, side), 20)
    assert not {"Cos", "Sin", "Resize", "If"} & {node.op_type for node in proto.graph.node}


def test_the_head_of_another_backbone_is_refused(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    train = random_head(tiny, rooms / "train")
    with pytest.raises(Fixable, match=r"made for backbone\.width 32"):
        run(tiny.model_copy(update={"width": 64}), train, assemble, rooms / "out")


def test_without_dev_there_is_nothing_to_compare_on(tiny: Backbone, assemble: Path, rooms: Path) -> None:
    samples.write(samples.read(assemble).filter(pl.col("split") != "dev"), assemble)
    with pytest.raises(Fixable, match="split dev is empty"):
        run(tiny, random_head(tiny, rooms / "train"), assemble, rooms / "out")
