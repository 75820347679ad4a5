"""The door down: a folder of files and the one manifest that vouches for them."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from inference_runtime.band import Band
from inference_runtime.errors import BundleError
from inference_runtime.preprocess import Preprocess

FORMAT = 1
MANIFEST = "bundle.json"
DRAFT = f"{MANIFEST}.draft"
SIGNATURE = "bundle.sig"  # over the manifest's bytes; signature.py writes and checks it

# Said about a bundle after it was sealed, so no part of what it is.
ATTACHED = ("id", "version", "verdict", "measured")

SHAPE: Mapping[str, type | tuple[type, ...]] = {
    "format": int,
    "id": str,
    "classes": list,
    "preprocess": dict,
    "engines": dict,
    "calibration": dict,
    "lineage": dict,
    "holdout": (str, type(None)),
    "files": dict,
    "version": (str, type(None)),
    "verdict": (dict, type(None)),
}


@dataclass(frozen=True)
class Bundle:
    """A verified folder: every file in it is the one that was sealed."""

    folder: Path
    id: str
    manifest: Mapping[str, Any]

    @property
    def preprocess(self) -> Preprocess:
        return Preprocess.from_json(self.manifest["preprocess"])

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.manifest["classes"])

    @property
    def engines(self) -> Mapping[str, Mapping[str, Any]]:
        return cast(Mapping[str, Mapping[str, Any]], self.manifest["engines"])

    @property
    def calibration(self) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], self.manifest["calibration"])

    @property
    def band(self) -> Band:
        """Which of its answers want a second opinion."""
        return Band.from_json(self.manifest.get("cascade"))

    @property
    def lineage(self) -> Mapping[str, Any]:
        return cast(Mapping[str, Any], self.manifest["lineage"])

    @property
    def holdout(self) -> str | None:
        return cast(str | None, self.manifest["holdout"])

    @property
    def version(self) -> str | None:
        return cast(str | None, self.manifest["version"])

    @property
    def measured(self) -> Mapping[str, Any] | None:
        """Per engine, hardware and latency: facts about a machine, and so no part of the id."""
        return cast(Mapping[str, Any] | None, self.manifest.get("measured"))

    @property
    def verdict(self) -> Mapping[str, Any] | None:
        return cast(Mapping[str, Any] | None, self.manifest["verdict"])


def seal(
    folder: Path,
    *,
    classes: Sequence[str],
    preprocess: Preprocess,
    engines: Mapping[str, Mapping[str, Any]],
    calibration: Mapping[str, Any],
    lineage: Mapping[str, Any],
    holdout: str | None,
    cascade: Mapping[str, Any] | None = None,
) -> Bundle:
    """Makes a bundle of the files that lie in `folder` now; the same files and words give the same bytes."""
    body: dict[str, Any] = {
        "format": FORMAT,
        "classes": list(classes),
        "preprocess": preprocess.to_json(),
        "engines": {name: dict(engine) for name, engine in engines.items()},
        "calibration": dict(calibration),
        "lineage": dict(lineage),
        "holdout": holdout,
        "files": {name: _seal_of(folder / name) for name in _names(folder)},
        **({"cascade": dict(cascade)} if cascade else {}),
    }
    _write(folder, body | {"id": _id(body), "version": None, "verdict": None})
    return load(folder)


def load(folder: Path) -> Bundle:
    """Verifies the manifest and every file; a BundleError names what is altered, missing or unlisted."""
    manifest = _read(folder / MANIFEST)
    if manifest["id"] != _id(manifest):
        raise BundleError(f"{folder / MANIFEST}: id does not fit the rest, so it was altered; fetch it again")
    _verify(folder, manifest["files"])
    _check_engines(folder, manifest)
    bundle = Bundle(folder=folder, id=manifest["id"], manifest=manifest)
    _ = bundle.preprocess, bundle.band  # what is unknown or wrong is refused here, not at the first request
    return bundle


def attach(
    folder: Path, *, version: str, verdict: Mapping[str, Any], measured: Mapping[str, Any] | None = None
) -> Bundle:
    """Writes down what was decided about the bundle, and measured; what it is, and so its id, stays."""
    manifest = dict(load(folder).manifest)
    (folder / SIGNATURE).unlink(missing_ok=True)  # it was for the words of before
    said = {"version": version, "verdict": dict(verdict), "measured": measured}
    _write(folder, manifest | said)
    return load(folder)


def _read(file: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(file.read_bytes(), parse_constant=_refuse)
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror}; name a folder that was sealed as a bundle") from error
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{file}: not JSON ({error}); fetch the bundle again") from error
    _check_shape(file, manifest)
    return cast(dict[str, Any], manifest)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON number")


def _check_shape(file: Path, manifest: Any) -> None:
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        found = manifest.get("format") if isinstance(manifest, dict) else None
        raise BundleError(f"{file}: format {found!r} is not {FORMAT}; export the bundle again")
    if not isinstance(manifest.get("cascade", {}), dict):
        raise BundleError(f"{file}: cascade is of the wrong type; export the bundle again")
    for key, kind in SHAPE.items():
        if key not in manifest or not isinstance(manifest[key], kind):
            raise BundleError(f"{file}: {key} is missing or of the wrong type; export the bundle again")
    if len(manifest["classes"]) != 2 or not all(isinstance(name, str) for name in manifest["classes"]):
        raise BundleError(f"{file}: classes is not two names, the quiet one first; export the bundle again")


def _check_engines(folder: Path, manifest: Mapping[str, Any]) -> None:
    for name, engine in manifest["engines"].items():
        if not isinstance(engine, dict) or engine.get("file") not in manifest["files"]:
            raise BundleError(
                f"{folder / MANIFEST}: engines.{name}.file names no file of the bundle; export it again"
            )


def _verify(folder: Path, files: Mapping[str, Any]) -> None:
    found = set(_names(folder))
    for name in sorted(files.keys() - found):
        raise BundleError(f"{folder / name}: missing; fetch the bundle again")
    for name in sorted(found - files.keys()):
        raise BundleError(f"{folder / name}: unlisted in {MANIFEST}; remove it or fetch the bundle again")
    for name in sorted(found):
        if _readable_seal_of(folder / name) != files[name]:
            raise BundleError(f"{folder / name}: altered since it was sealed; fetch the bundle again")


def _names(folder: Path) -> Iterator[str]:
    # The draft is what a killed `attach` leaves: it says nothing, and the next one overwrites it.
    for file in sorted(folder.rglob("*")):
        name = file.relative_to(folder).as_posix()
        if not file.is_dir() and name not in (MANIFEST, DRAFT, SIGNATURE):
            yield name


def _seal_of(file: Path) -> dict[str, Any]:
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
        return {"sha256": digest, "bytes": opened.tell()}


def _readable_seal_of(file: Path) -> dict[str, Any]:
    try:
        return _seal_of(file)
    except OSError as error:
        raise BundleError(f"{file}: {error.strerror}; fetch the bundle again") from error


def _id(manifest: Mapping[str, Any]) -> str:
    body = {key: value for key, value in manifest.items() if key not in ATTACHED}
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _write(folder: Path, manifest: Mapping[str, Any]) -> None:
    draft = folder / DRAFT
    with draft.open("w", encoding="utf-8") as opened:
        opened.write(json.dumps(manifest, sort_keys=True, indent=2, allow_nan=False) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    draft.replace(folder / MANIFEST)
