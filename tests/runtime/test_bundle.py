import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_runtime import bundle
from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError

Make = Callable[..., Bundle]


def rewrite(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / "bundle.json").read_text())
    (folder / "bundle.json").write_text(json.dumps(manifest | changes))


def test_what_was_sealed_is_loaded(make_bundle: Make) -> None:
    sealed = make_bundle()
    loaded = bundle.load(sealed.folder)
    assert loaded == sealed
    assert loaded.classes == ("clear", "roadwork")
    assert (loaded.preprocess.width, loaded.preprocess.height) == (32, 32)
    assert loaded.engines["onnx"]["file"] == "model.onnx"
    assert loaded.version is None and loaded.verdict is None and loaded.holdout is None


def test_the_manifest_is_the_documented_one(make_bundle: Make) -> None:
    folder = make_bundle().folder
    manifest = json.loads((folder / "bundle.json").read_text())
    model = (folder / "model.onnx").read_bytes()
    assert manifest["files"] == {
        "model.onnx": {"sha256": hashlib.sha256(model).hexdigest(), "bytes": len(model)}
    }
    body = {key: value for key, value in manifest.items() if key not in ("id", "version", "verdict")}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"))
    assert manifest["id"] == hashlib.sha256(canonical.encode()).hexdigest()[:16]


def test_the_same_files_make_the_same_bytes(make_bundle: Make) -> None:
    one, two = make_bundle("one"), make_bundle("two")
    assert (one.folder / "bundle.json").read_bytes() == (two.folder / "bundle.json").read_bytes()
    assert make_bundle("three", gain=4.0).id != one.id


def test_sealing_again_changes_nothing(make_bundle: Make) -> None:
    sealed = make_bundle()
    before = (sealed.folder / "bundle.json").read_bytes()
    bundle.seal(
        sealed.folder,
        classes=sealed.classes,
        preprocess=sealed.preprocess,
        engines=sealed.engines,
        calibration=sealed.calibration,
        lineage=sealed.lineage,
        holdout=sealed.holdout,
    )
    assert (sealed.folder / "bundle.json").read_bytes() == before


def test_a_verdict_does_not_change_the_id(make_bundle: Make) -> None:
    sealed = make_bundle()
    decided = bundle.attach(sealed.folder, version="v7", verdict={"outcome": "PASS"})
    assert decided.id == sealed.id
    assert (decided.version, decided.verdict) == ("v7", {"outcome": "PASS"})
    assert bundle.load(sealed.folder) == decided


def test_a_draft_left_by_a_kill_is_no_part_of_the_bundle(make_bundle: Make) -> None:
    sealed = make_bundle()
    (sealed.folder / "bundle.json.draft").write_text("{half")
    assert bundle.load(sealed.folder) == sealed


def test_an_altered_file_is_named(make_bundle: Make) -> None:
    model = make_bundle().folder / "model.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"!")
    with pytest.raises(BundleError, match=r"model\.onnx: altered"):
        bundle.load(model.parent)


def test_a_missing_file_is_named(make_bundle: Make) -> None:
    folder = make_bundle().folder
    (folder / "model.onnx").unlink()
    with pytest.raises(BundleError, match=r"model\.onnx: missing"):
        bundle.load(folder)


def test_an_unlisted_file_is_named(make_bundle: Make) -> None:
    folder = make_bundle().folder
    (folder / "deep").mkdir()
    (folder / "deep" / "extra.txt").touch()
    with pytest.raises(BundleError, match=r"deep/extra\.txt: unlisted"):
        bundle.load(folder)


def test_a_dangling_link_is_named(make_bundle: Make) -> None:
    folder = make_bundle().folder
    (folder / "model.onnx").unlink()
    (folder / "model.onnx").symlink_to("gone")
    with pytest.raises(BundleError, match=r"model\.onnx: No such file"):
        bundle.load(folder)


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"format": 2}, "format 2"),
        ({"lineage": {"table": "1"}}, "id"),
        ({"classes": "clear"}, "classes"),
        ({"classes": ["only"]}, "classes"),
        ({"files": None}, "files"),
        ({"verdict": 3}, "verdict"),
    ],
)
def test_a_wrong_manifest_names_file_and_key(make_bundle: Make, changes: dict[str, object], key: str) -> None:
    folder = make_bundle().folder
    rewrite(folder, **changes)
    with pytest.raises(BundleError, match=rf"bundle\.json: {key}") as caught:
        bundle.load(folder)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", '{"format": NaN}', "[" * 100_000, "\xff"])
def test_a_manifest_that_is_no_json_object_is_refused(make_bundle: Make, text: str) -> None:
    folder = make_bundle().folder
    (folder / "bundle.json").write_text(text, encoding="latin-1")
    with pytest.raises(BundleError, match=r"bundle\.json: "):
        bundle.load(folder)


@pytest.mark.parametrize("place", ["nowhere", "file"])
def test_what_is_no_bundle_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match=r"bundle\.json: .*sealed"):
        bundle.load(tmp_path / place)


def test_an_engine_without_its_file_is_never_sealed(make_bundle: Make) -> None:
    sealed = make_bundle()
    with pytest.raises(BundleError, match=r"engines\.onnx\.file"):
        bundle.seal(
            sealed.folder,
            classes=sealed.classes,
            preprocess=sealed.preprocess,
            engines={"onnx": {"file": "other.onnx"}},
            calibration={},
            lineage={},
            holdout=None,
        )


def test_unknown_preprocessing_is_refused_at_the_door(
    make_bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference_runtime.preprocess.VERSION", 4)
    newer = make_bundle()
    monkeypatch.undo()
    with pytest.raises(BundleError, match=r"preprocess\.version: 4 is not 3"):
        bundle.load(newer.folder)
