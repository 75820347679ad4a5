"""Exports made wrongly on purpose: each is caught, and called by its name."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import polars as pl
import pytest
from onnx import TensorProto, helper, numpy_helper

from inference_runtime import bundle
from pipeline import backbones, classifier, params, samples
from pipeline.classifier import Classifier, Head
from pipeline.export import graph
from pipeline.gate import diagnosis, parity, verdict
from pipeline.params import Backbone

GATE = params.load(Path(__file__).parents[2] / "params.yaml").gate.model_copy(update={"parity_views": 16})
Snap = Callable[[int, int], str]


@pytest.fixture
def table(snap: Snap) -> pl.DataFrame:
    rows = [{"image": snap(seed, seed % 2), "label": seed % 2} for seed in range(16)]
    named = pl.DataFrame(rows).with_columns(
        family=pl.col("image"), profile=pl.lit("native"), source=pl.lit("base")
    )
    return samples.conform(named, samples.ASSEMBLED)


def trained(backbone: Backbone) -> Classifier:
    weight = np.random.default_rng(3).normal(0, 2, 64).astype(np.float32)
    return Classifier(backbones.load(backbone), Head(weight, 0.3, 1.0, 0.0))


def exported(model: Classifier, backbone: Backbone) -> onnx.ModelProto:
    return graph.exported(model, (backbone.height, backbone.width), 20)


def sealed(folder: Path, model: onnx.ModelProto, backbone: Backbone, **said: object) -> Path:
    """A bundle of this graph, beside the head that was really trained."""
    folder.mkdir()
    onnx.save(model, folder / "model.onnx")
    weight = np.random.default_rng(3).normal(0, 2, 64).astype(np.float32)
    classifier.write(Head(weight, 0.3, 1.0, 0.0), folder, backbone)
    bundle.seal(
        folder,
        classes=samples.CLASSES,
        preprocess=replace(backbone.spec, **said.get("look", {})),  # type: ignore[arg-type]
        engines={"onnx": {"file": "model.onnx", "precision": said.get("precision", "fp32"), "opset": 20}},
        calibration={},
        lineage={},
        holdout=None,
    )
    return folder


def at_the_end(
    model: onnx.ModelProto, *nodes: tuple[str, list[str], dict[str, int]], **constants: np.ndarray
) -> None:
    """More nodes between the graph's logit and the bundle's."""
    for node in model.graph.node:
        node.output[:] = ["inner" if name == "logit" else name for name in node.output]
    last = "inner"
    for number, (kind, inputs, attributes) in enumerate(nodes):
        name = "logit" if number == len(nodes) - 1 else f"step{number}"
        model.graph.node.append(helper.make_node(kind, [last, *inputs], [name], **attributes))
        last = name
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())


def at_the_start(
    model: onnx.ModelProto, *nodes: tuple[str, list[str], dict[str, object]], **constants: np.ndarray
) -> None:
    """More nodes between the pixels and what looks at them."""
    for node in model.graph.node:
        node.input[:] = ["seen" if name == "pixels" else name for name in node.input]
    last, made = "pixels", []
    for number, (kind, inputs, attributes) in enumerate(nodes):
        name = "seen" if number == len(nodes) - 1 else f"first{number}"
        made.append(helper.make_node(kind, [last, *inputs], [name], **attributes))
        last = name
    kept = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*made, *kept])
    model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())


def attentive(backbone: Backbone, folder: Path) -> str:
    """The same network with louder attention: untrained, it hardly minds where a patch lies."""
    from transformers import DINOv3ViTModel

    network = DINOv3ViTModel.from_pretrained(backbone.name)
    for name, weight in network.named_parameters():
        if name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "patch_embeddings.weight")):
            weight.data *= 30
    network.save_pretrained(folder)
    return str(folder)


def swapped(model: onnx.ModelProto) -> None:
    at_the_end(model, ("Neg", [], {}))


def overflowing(model: onnx.ModelProto) -> None:
    """A weight beyond the reach of half precision, undone afterwards as far as that goes."""
    with np.errstate(over="ignore"):
        half = np.array(1e5, np.float32).astype(np.float16)
    steps = [("Mul", ["many"], {}), ("Div", ["many"], {})]
    at_the_end(
        model,
        ("Cast", [], {"to": TensorProto.FLOAT16}),
        *steps,  # type: ignore[arg-type]
        ("Cast", [], {"to": TensorProto.FLOAT}),
        many=half,
    )


def unnormalised(model: onnx.ModelProto) -> None:
    """Scaled to 0..1 and no more: ImageNet's numbers left out."""
    found = 0
    for one in model.graph.initializer:
        values = numpy_helper.to_array(one)
        if values.size == 3 and values.dtype == np.float32 and values.min() > 50:
            plain = 0.0 if values.mean() > 100 else 255.0
            one.CopyFrom(numpy_helper.from_array(np.full_like(values, plain), one.name))
            found += 1
    assert found == 2


def cropped(model: onnx.ModelProto) -> None:
    """Only the middle of what it is given, blown up."""
    whole = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
    at_the_start(
        model,
        ("Slice", ["from", "to", "axes"], {}),
        ("Cast", [], {"to": TensorProto.FLOAT}),
        ("Resize", ["", "grow"], whole),  # type: ignore[list-item]
        ("Round", [], {}),
        ("Cast", [], {"to": TensorProto.UINT8}),
        **{
            "from": np.array([8, 8]),
            "to": np.array([24, 24]),
            "axes": np.array([1, 2]),
            "grow": np.array([1, 2, 2, 1], np.float32),
        },
    )


def test_a_right_export_is_no_fault_and_each_wrong_one_has_its_name(
    rooms: Path, tiny: Backbone, table: pl.DataFrame
) -> None:
    right = exported(trained(tiny), tiny)
    found = parity.measured(table, sealed(rooms / "right", right, tiny), tiny, GATE)
    assert found.faults == () and found.max_logit is not None and found.max_logit < 1e-3 and found.views == 16
    for spoil, name, said in (
        (swapped, "swapped classes", {}),
        (unnormalised, "wrong normalisation: only scaled to 0..1", {}),
        (cropped, "wrong resize: only the middle 16x16", {}),
        (overflowing, "overflow in fp16: 16 of 16 answers are no finite numbers", {"precision": "fp16"}),
    ):
        model = onnx.ModelProto()
        model.CopyFrom(right)
        spoil(model)
        faulty = parity.measured(table, sealed(rooms / spoil.__name__, model, tiny, **said), tiny, GATE)
        assert faulty.faults and faulty.faults[0].startswith(name), (name, faulty)
        ruling = verdict.on_parity(faulty)
        assert ruling and ruling.value == "FAIL" and name in ruling.reasons[0]


def test_a_bundle_that_looks_at_pictures_otherwise_is_refused_by_that_name(
    rooms: Path, tiny: Backbone, table: pl.DataFrame
) -> None:
    model = exported(trained(tiny), tiny)
    other = sealed(rooms / "other", model, tiny, look={"width": 48, "height": 48})
    faulty = parity.measured(table, other, tiny, GATE)
    assert faulty.faults[0] == "wrong resize: it looks at 48x48 bilinear, but was trained on 32x32 bilinear"
    assert "the runtime cannot use it" in faulty.faults[1]
    sharper = parity.measured(
        table, sealed(rooms / "sharper", model, tiny, look={"filter": "lanczos"}), tiny, GATE
    )
    assert sharper.faults[0] == "wrong resize: it looks at 32x32 lanczos, but was trained on 32x32 bilinear"


def test_a_position_code_of_another_size_is_called_by_that_name(
    rooms: Path, tiny: Backbone, table: pl.DataFrame
) -> None:
    wide = tiny.model_copy(update={"name": attentive(tiny, rooms / "attentive"), "width": 64})
    model = trained(wide)
    with diagnosis.positions(model.backbone.network, (64, 32)):
        wrong = exported(model, wide)
    faulty = parity.measured(table, sealed(rooms / "wide", wrong, wide), wide, GATE)
    assert faulty.faults[0] == "wrong position code: RoPE for 32x64 pixels"
    assert faulty.max_logit is not None and faulty.max_logit > GATE.parity_logit
    ruling = verdict.on_parity(faulty)
    assert ruling and ruling.value == "FAIL" and faulty.faults[0] in ruling.reasons[0]


def test_flips_far_from_the_fence_count_and_rounding_at_it_does_not() -> None:
    logits = np.linspace(-2, 2, 100)
    assert parity.compared(logits, logits + 1e-4, "fp32", 1e-3).faults == ()
    off = parity.compared(logits, logits + 0.5, "fp32", 1e-3)
    assert len(off.faults) == 2 and off.clear_flips > 0
    at_the_fence = parity.compared(np.array([0.001]), np.array([-0.001]), "fp32", 0.01)
    assert (at_the_fence.flips, at_the_fence.clear_flips) == (1, 0)
