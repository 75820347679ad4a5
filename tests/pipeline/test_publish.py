"""Only what passed is published, once; everything else is refused with its reason."""

import json
import re
from pathlib import Path

import pytest

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from inference_runtime.preprocess import Preprocess
from pipeline import hub, origin, publish
from pipeline.hub import known
from pipeline.params import Hub, Publish

PARAMS = Publish(name="roadwork", description="Is there roadwork?", hotkey=None)
HUB = Hub(kind="folder", repo="hub")


@pytest.fixture
def folders(home: Path) -> dict[str, Path]:
    found = {name: home / name for name in ("gate", "export", "assemble", "out")}
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


def judged(
    folders: dict[str, Path], value: str, params: Publish = PARAMS, **given: object
) -> dict[str, object]:
    verdict = {"value": value, "reasons": ["because"], "champion": None} | given
    verdict.setdefault("challenger", bundle.load(folders["export"]).id)
    (folders["gate"] / "verdict.json").write_text(json.dumps(verdict))
    publish.run(params, HUB, **folders)
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


def test_what_was_withdrawn_is_not_published_again(folders: dict[str, Path]) -> None:
    bundle_id = str(judged(folders, "PASS")["bundle"])
    hub.at(HUB).withdraw(bundle_id, "it saw ghosts")
    receipt = judged(folders, "PASS")
    assert (receipt["published"], receipt["why"]) == (False, "it was withdrawn: it saw ghosts")
    assert hub.reigning(hub.at(HUB)) is None and len(hub.at(HUB).releases()) == 1


def test_a_person_who_said_no_is_named(folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REFUSED", "ada said no")
    receipt = judged(folders, "PASS")
    assert (receipt["published"], receipt["why"]) == (False, "not approved: ada said no")
    assert hub.at(HUB).attempts(None)  # a try that somebody stopped was a try


def test_people_find_the_papers_of_a_release_beside_it(folders: dict[str, Path]) -> None:
    judged(folders, "PASS")
    papers = Path("hub/papers/1.0.0")
    assert json.loads((papers / "model_card.json").read_text())["version"] == "1.0.0"
    assert "Is there roadwork?" in (papers / "README.md").read_text()


ALICE = "5GrwvaEF5zXb26Fz9rcQpDWS57CtERHpNehXCPcNoHGKutQY"  # the public development address


@pytest.mark.parametrize(
    ("submits", "serves", "said"),
    [
        (ALICE[:-1] + "Z", None, "publish.hotkey: .* is no ss58 address"),
        ("0x" + "ab" * 32, None, "publish.hotkey: .* is no ss58 address"),
        ("", None, "publish.hotkey: .* is no ss58 address"),
        (ALICE, "5D4C69GW1Pg9dj4zofLhtg7xBLL6utM46k9Mv3za6wvjiYGD", "only if they are the same"),
        (None, ALICE, "only if they are the same"),
        (ALICE, "nonsense", "SERVING_HOTKEY: 'nonsense' is no ss58 address"),
    ],
)
def test_a_wrong_hotkey_is_refused_before_anything_is_released(
    folders: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    submits: str | None,
    serves: str | None,
    said: str,
) -> None:
    if serves:
        monkeypatch.setenv("SERVING_HOTKEY", serves)
    with pytest.raises(Fixable, match=said):
        judged(folders, "PASS", params=PARAMS.model_copy(update={"hotkey": submits}))
    assert hub.at(HUB).releases() == []


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


def test_a_release_remembers_its_reward_and_where_it_came_from(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(origin.RUN, "night-1")
    (folders["out"].parent / "params.yaml").write_text("a: 1\n")
    scores = {"challenger": {"reward": 0.87, "reward_interval": [0.84, 0.9]}}
    receipt = judged(folders, "PASS", scores=scores)
    wanted = {"run": "night-1", "commit": None, "dataset": None, "params": origin.params()}
    assert receipt["origin"] == wanted
    [told] = json.loads(known.place().read_text())["releases"]
    assert (told["reward"], told["reward_low"], told["reward_high"]) == (0.87, 0.84, 0.9)
    assert told["origin"] == receipt["origin"]
    [release] = hub.at(HUB).releases()
    assert release.reward == 0.87
