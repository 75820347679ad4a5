"""The hub and its champions: promoted once, never overtaken, never half there."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from inference_runtime.preprocess import Preprocess
from pipeline import champion, hub
from pipeline.hub.folder import Folder
from pipeline.params import Age, Champion, Hub

Sealed = Callable[[str], Path]
AGE = Age(full_days=45, zero_day=90, retrain_by=30, upload_by=40, promote=True)


@pytest.fixture
def sealed(tmp_path: Path) -> Sealed:
    """A sealed bundle whose one file holds these words."""

    def make(words: str) -> Path:
        folder = tmp_path / f"sealed-{words}"
        folder.mkdir()
        (folder / "model.onnx").write_text(words)
        engines = {"onnx": {"file": "model.onnx", "precision": "fp32", "opset": 20}}
        bundle.seal(
            folder,
            classes=("clear", "roadwork"),
            preprocess=Preprocess(224, 224),
            engines=engines,
            calibration={"temperature": 1.0, "bias": 0.0},
            lineage={},
            holdout=None,
        )
        return folder

    return make


@pytest.fixture
def shelf(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "hub")


def release(folder: Path, version: str, beat: str | None) -> hub.Release:
    return hub.Release(version, bundle.load(folder).id, beat, "2026-01-01T00:00:00+00:00", {})


def attempt(challenger: str, value: str = "INCONCLUSIVE") -> hub.Attempt:
    return hub.Attempt(challenger, value, "because", "kin", True, (("item", 1), ("other", 0)))


def promote(shelf: Folder, folder: Path) -> hub.Release:
    champion = hub.reigning(shelf)
    wanted = release(folder, hub.next_version(shelf.releases()), champion and champion.bundle)
    return shelf.release(folder, wanted, {"value": "PASS"})


def test_releases_stand_in_the_order_of_reigns(shelf: Folder, sealed: Sealed) -> None:
    for word in "abcdefghijkl":
        promote(shelf, sealed(word))
    assert [r.version for r in shelf.releases()] == [f"1.{n}.0" for n in range(12)]


def test_releasing_twice_is_releasing_once(shelf: Folder, sealed: Sealed) -> None:
    folder = sealed("a")
    first = promote(shelf, folder)
    again = shelf.release(folder, replace(first, version="9.9.9"), {"value": "PASS"})
    assert again == first
    assert shelf.releases() == [first]


def test_a_challenger_that_beat_an_older_champion_is_refused(shelf: Folder, sealed: Sealed) -> None:
    a, b, c = (sealed(word) for word in "abc")
    old = promote(shelf, a)
    promote(shelf, b)
    with pytest.raises(Fixable, match="run the night again"):
        shelf.release(c, release(c, "1.2.0", old.bundle), {"value": "PASS"})


def test_what_a_kill_leaves_before_the_release_file_is_no_release(shelf: Folder, sealed: Sealed) -> None:
    folder = sealed("a")
    wanted = release(folder, "1.0.0", None)
    shelf._shelve(folder, wanted, {"value": "PASS"})
    assert shelf.releases() == []
    assert shelf.release(folder, wanted, {"value": "PASS"}) == wanted
    assert shelf.fetch(wanted.bundle, folder.parent / "copy").version == "1.0.0"


def test_a_challenger_never_meets_itself() -> None:
    a = hub.Release("1.0.0", "a", None, "", {})
    b = hub.Release("1.1.0", "b", "a", "", {})
    assert champion.opponent([], "x") is None
    assert champion.opponent([a], "a") is None
    assert champion.opponent([a, b], "x") == b
    assert champion.opponent([a, b], "b") == a


def test_looking_again_after_a_promotion_changes_nothing(
    shelf: Folder, sealed: Sealed, tmp_path: Path
) -> None:
    promote(shelf, sealed("a"))
    challenger = sealed("b")
    params = Hub(kind="folder", repo=str(shelf.root))
    seen = []
    for turn in ("before", "after"):
        out = tmp_path / turn
        out.mkdir()
        champion.run(Champion(), params, AGE, challenger, out)
        seen.append({file.name: file.read_bytes() for file in out.rglob("*") if file.is_file()})
        old = hub.reigning(shelf)
        assert old
        shelf.record(old.bundle, attempt(bundle.load(challenger).id))
        promote(shelf, challenger)
    assert seen[0] == seen[1]


def test_attempts_of_others_are_counted_and_a_repeat_is_not(
    shelf: Folder, sealed: Sealed, tmp_path: Path
) -> None:
    reigning = promote(shelf, sealed("a"))
    for challenger in ("x", "y", "x"):
        shelf.record(reigning.bundle, attempt(challenger))
    out = tmp_path / "out"
    out.mkdir()
    champion.run(Champion(), Hub(kind="folder", repo=str(shelf.root)), AGE, sealed("c"), out)
    assert json.loads((out / "summary.json").read_text())["other_attempts"] == 2
    others = [hub.attempt(told) for told in json.loads((out / champion.LEDGER).read_text())]
    assert others == [attempt("x"), attempt("y")]


def test_a_second_try_takes_the_place_of_the_first_in_the_ledger(shelf: Folder) -> None:
    for tried in (attempt("x"), attempt("y"), attempt("x", "FAIL")):
        shelf.record("champion", tried)
    assert [(one.challenger, one.value) for one in shelf.attempts("champion")] == [
        ("x", "FAIL"),
        ("y", "INCONCLUSIVE"),
    ]
    assert shelf.attempts("another") == []


def test_a_champion_is_due_from_the_day_the_params_name(monkeypatch: pytest.MonkeyPatch) -> None:
    old = hub.Release("1.0.0", "a", None, "2026-01-01T00:00:00+00:00", {})
    monkeypatch.setenv("UNTIL", "2026-01-30T00:00:00Z")
    assert not champion.due(old, AGE)
    monkeypatch.setenv("UNTIL", "2026-02-01T00:00:00Z")
    assert champion.due(old, AGE)
    assert not champion.due(old, AGE.model_copy(update={"promote": False}))


def test_a_bundle_that_is_gone_is_named(shelf: Folder) -> None:
    with pytest.raises(Fixable, match="bundle nowhere is gone"):
        shelf.fetch("nowhere", shelf.root / "copy")
