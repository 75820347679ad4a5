"""Which engine a machine gets, and the plain one that runs anywhere torch does."""

import logging
from collections.abc import Callable
from pathlib import Path
from threading import Barrier, Thread

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from inference_runtime import bundle as bundles
from inference_runtime.bundle import Bundle
from inference_runtime.engines import engine_for, placement
from inference_runtime.engines.fleet import Fleet
from inference_runtime.engines.placement import Placement, placed
from inference_runtime.errors import BundleError, Fixable
from inference_runtime.preprocess import Preprocess
from inference_runtime.vit import weights
from inference_runtime.vit.plain import Plain
from inference_runtime.vit.shape import from_config

CONFIG = {
    "model_type": "dinov3_vit",
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_register_tokens": 4,
    "patch_size": 16,
    "rope_theta": 100.0,
    "layer_norm_eps": 1e-5,
    "use_gated_mlp": False,
    "hidden_act": "gelu",
}
SHAPE = from_config(CONFIG, 32, 48)
MakeWeights = Callable[..., Bundle]


@pytest.fixture
def make_weights(tmp_path: Path) -> MakeWeights:
    """A bundle of a small vision transformer; `change` may spoil its tensors."""

    def make(
        change: Callable[[dict[str, torch.Tensor]], object] = lambda _: None, **config: object
    ) -> Bundle:
        vit = weights.random(SHAPE)
        tensors = {f"backbone.{name}": tensor for name, tensor in vit.backbone.items()}
        tensors |= {"head.weight": vit.head[None], "head.bias": torch.tensor([vit.bias])}
        change(tensors)
        save_file(tensors, tmp_path / "weights.safetensors")
        return bundles.seal(
            tmp_path,
            classes=("clear", "roadwork"),
            preprocess=Preprocess(48, 32),
            engines={"torch": {"file": "weights.safetensors", "config": CONFIG | config}},
            calibration={"temperature": vit.temperature, "bias": vit.offset},
            lineage={},
            holdout=None,
        )

    return make


def test_plain_torch_is_the_model_of_transformers() -> None:
    transformers = pytest.importorskip("transformers", reason="needs transformers: make setup")
    vit = weights.random(SHAPE)
    model = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**CONFIG, image_size=32)).eval()
    named = {name: vit.backbone.get(name.removeprefix("model.")) for name in model.state_dict()}
    model.load_state_dict({name: one for name, one in named.items() if one is not None}, strict=False)
    pixels = torch.randint(0, 256, (3, 32, 48, 3), dtype=torch.uint8)
    seen = (pixels.float() - torch.tensor(vit.mean)) / torch.tensor(vit.deviation)
    with torch.no_grad():
        tokens = model(pixel_values=seen.permute(0, 3, 1, 2)).last_hidden_state
    pooled = torch.cat([tokens[:, 0], tokens[:, 5:].mean(1)], 1)
    wanted = (pooled @ vit.head + vit.bias) / vit.temperature + vit.offset
    assert torch.allclose(Plain(vit)(pixels), wanted, atol=1e-5)


def test_a_bundles_weights_answer_through_plain_torch(make_weights: MakeWeights) -> None:
    pixels = np.random.default_rng().integers(0, 256, (3, 32, 48, 3), dtype=np.uint8)
    found = engine_for(make_weights(), "torch").logits(pixels)
    wanted = Plain(weights.random(SHAPE))(torch.from_numpy(pixels)).numpy()
    assert np.abs(found - wanted).max() < (1e-5 if not torch.cuda.is_available() else 5e-2)
    assert engine_for(make_weights(), "torch").logits(pixels[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda t: t.pop("backbone.layer.1.norm1.bias"), r"backbone\.layer\.1\.norm1\.bias: missing"),
        (
            lambda t: t.update({"backbone.norm.bias": torch.zeros(3)}),
            r"backbone\.norm\.bias: \(3,\), not \(64,\)",
        ),
        (lambda t: t.update({"head.weight": torch.zeros(1, 5)}), "head.weight: not 128 numbers"),
    ],
)
def test_weights_that_do_not_fit_are_named(make_weights: MakeWeights, change: object, said: str) -> None:
    with pytest.raises(BundleError, match=said):
        engine_for(make_weights(change), "torch")


def test_another_network_is_refused(make_weights: MakeWeights) -> None:
    with pytest.raises(BundleError, match="hidden_act: 'relu' is not gelu"):
        engine_for(make_weights(hidden_act="relu"), "torch")


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what a machine without a GPU says")
@pytest.mark.parametrize("name", ["torch-triton", "torch-compile"])
def test_what_needs_a_gpu_says_so(make_weights: MakeWeights, name: str) -> None:
    with pytest.raises(BundleError, match=f"{name} needs an NVIDIA GPU"):
        engine_for(make_weights(), name)


@pytest.mark.parametrize(
    ("gpus", "lacking", "wanted"),
    [
        (0, "", Placement("onnx", "no GPU here")),
        (1, "triton", Placement("torch", "1 GPU, but Triton is not installed")),
        (2, "", Placement("torch-triton", "2 GPU and Triton")),
        (1, "torch", Placement("onnx", "torch is not installed")),
    ],
)
def test_the_fastest_that_runs_here_is_chosen_and_said_once(
    make_weights: MakeWeights,
    gpus: int,
    lacking: str,
    wanted: Placement,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(placement, "gpu_count", lambda: gpus)
    monkeypatch.setattr(placement, "find_spec", lambda name: None if name == lacking else object())
    with caplog.at_level(logging.INFO):
        assert placed(make_weights()) == wanted
    assert caplog.messages == [f"engine {wanted.engine}: {wanted.reason}"]


def test_a_bundle_without_weights_is_served_by_onnx(make_bundle: Callable[..., Bundle]) -> None:
    assert placed(make_bundle()).engine == "onnx"


class Waiting:
    """Answers with its own number, once as many callers as GPUs have come."""

    name = "waiting"

    def __init__(self, number: int, together: Barrier) -> None:
        self.number, self.together = number, together

    def logits(self, pixels: np.ndarray) -> np.ndarray:
        self.together.wait(timeout=10)
        return np.full(len(pixels), self.number, np.float32)


def test_every_gpu_works_when_there_is_work_for_it() -> None:
    together, found = Barrier(3), []
    fleet = Fleet([Waiting(n, together) for n in range(3)])
    pixels = np.zeros((1, 2, 2, 3), np.uint8)
    callers = [Thread(target=lambda: found.append(fleet.logits(pixels)[0])) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(found) == [0, 1, 2]


@pytest.mark.parametrize(("profile", "engine"), [("", "onnx"), ("accuracy", "onnx"), ("speed", "onnx-int8")])
def test_the_profile_chooses_the_weights_on_a_processor(
    monkeypatch: pytest.MonkeyPatch, profile: str, engine: str
) -> None:
    monkeypatch.setenv("RUNTIME_PROFILE", profile)
    both = Bundle(Path(), "b", {"engines": {"onnx": {}, "onnx-int8": {}}})
    assert placed(both).engine == engine
    assert placed(Bundle(Path(), "b", {"engines": {"onnx": {}}})).engine == "onnx", "it is always there"


def test_an_unknown_profile_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_PROFILE", "fast")
    with pytest.raises(Fixable, match="RUNTIME_PROFILE: 'fast' is neither accuracy nor speed"):
        placed(Bundle(Path(), "b", {"engines": {"onnx": {}}}))
