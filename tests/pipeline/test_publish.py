"""Only what passed is published, once; everything else is refused with its reason."""

import json
import re
from pathlib import Path

import pytest

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from inference_runtime.preprocess import Preprocess
from pipeline import hub, publish
from pipeline.params import Hub, Publish

PARAMS = Publish(name="roadwork", description="Is there roadwork?", hotkey=None)
HUB = Hub(kind="folder", repo="hub")


@pytest.fixture
def folders(home: Path) -> dict[str, Path]:
    found = {name: home / name for name in ("gate", "export", "out")}
    for folder in found.values():
        folder.mkdir()
    (found["export"] / "model.onnx").write_bytes(b"weights")
    bundle.seal(
        found["export"],
        classes=("clear", "roadwork"),
        preprocess=Preprocess(224, 224),
        engines={"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 20}},
        calibration={},
        lineage={},
        holdout=None,
    )
    return found


def judged(folders: dict[str, Path], value: str, **given: object) -> dict[str, object]:
    verdict = {"value": value, "reasons": ["because"], "champion": None} | given
    verdict.setdefault("challenger", bundle.load(folders["export"]).id)
    (folders["gate"] / "verdict.json").write_text(json.dumps(verdict))
    publish.run(PARAMS, HUB, **folders)
    return dict(json.loads((folders["out"] / "receipt.json").read_text()))


def test_a_pass_becomes_the_champion(folders: dict[str, Path]) -> None:
    receipt = judged(folders, "PASS")
    champion = hub.reigning(hub.at(HUB))
    assert champion
    assert (receipt["published"], receipt["version"], champion.bundle) == (True, "1.0.0", receipt["bundle"])
    shelved = bundle.load(hub.at(HUB).place(champion.bundle))
    assert shelved.verdict and shelved.verdict["value"] == "PASS"


def test_publishing_twice_gives_one_release_and_the_same_receipt(folders: dict[str, Path]) -> None:
    assert judged(folders, "PASS") == judged(folders, "PASS")
    assert len(hub.at(HUB).releases()) == 1


@pytest.mark.parametrize("value", ["FAIL", "INCONCLUSIVE"])
def test_any_other_verdict_is_refused_and_the_attempt_remembered(
    folders: dict[str, Path], value: str
) -> None:
    receipt = judged(folders, value)
    assert receipt["published"] is False
    assert value in str(receipt["why"]) and "because" in str(receipt["why"])
    assert hub.at(HUB).releases() == []
    [tried] = hub.at(HUB).attempts(None)
    assert (tried.challenger, tried.value, tried.why) == (receipt["bundle"], value, "because")


def test_a_verdict_about_another_bundle_is_refused(folders: dict[str, Path]) -> None:
    with pytest.raises(Fixable, match="speaks of bundle another"):
        judged(folders, "PASS", challenger="another")


def test_an_altered_bundle_is_refused(folders: dict[str, Path]) -> None:
    challenger = bundle.load(folders["export"]).id
    (folders["export"] / "model.onnx").write_bytes(b"Weights")
    with pytest.raises(Fixable, match=r"model\.onnx: altered"):
        judged(folders, "PASS", challenger=challenger)


def test_the_card_is_what_the_subnet_asks_for(folders: dict[str, Path]) -> None:
    judged(folders, "PASS")
    champion = hub.reigning(hub.at(HUB))
    assert champion
    assert list(champion.card) == ["model_name", "description", "version", "submitted_by", "submission_time"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", str(champion.card["version"]))
