"""What a stage made, of what, by which code and numbers: the extra of its asset, read off dvc.lock."""

import hashlib
import json
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml
from airflow.sdk import Asset, AssetAlias

ARTIFACTS = "artifacts/"
# What a person wants to read of these without opening the artifact.
TOLD = {"gate": ("verdict.json", ("value", "reasons", "challenger", "champion"))}
TOLD["publish"] = ("receipt.json", ("published", "version", "bundle", "why"))


def artifact(stage: str) -> Asset:
    return Asset(f"{ARTIFACTS}{stage}", group="retrain-72")


def shelf(stage: str) -> AssetAlias:
    """Where the artifact appears when it was made: an asset itself would be told by a dry run, too."""
    return AssetAlias(f"made by {stage}", group="retrain-72")


def record(home: Path, stage: str, run: str) -> dict[str, Any]:
    """Told after the stage: DVC has written by then what it made of what."""
    locked = _locked(home)
    ours = locked.get(stage, {})
    made: dict[str, Any] = next(iter(ours.get("outs", [])), {})
    return {
        "run": run,
        "commit": _commit(home),
        "params": _digest((home / "params.yaml").read_bytes()) if (home / "params.yaml").is_file() else None,
        "numbers": _digest(json.dumps(ours.get("params", {}), sort_keys=True).encode()),
        "code": _digest("".join(one["md5"] for one in _code(ours)).encode()),
        "dataset": next((one["md5"] for one in locked.get("assemble", {}).get("outs", [])), None),
        "hash": made.get("md5"),
        "bytes": made.get("size"),
        "files": made.get("nfiles", 1),
        "inputs": {one["path"].removeprefix(ARTIFACTS): one["md5"] for one in _artifacts(ours)},
        "summary": _json(home / ARTIFACTS / stage / "summary.json"),
        **_said(home, stage),
    }


def _locked(home: Path) -> dict[str, Any]:
    file = home / "dvc.lock"
    return dict((yaml.safe_load(file.read_text()) or {}).get("stages", {})) if file.is_file() else {}


def _artifacts(stage: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return (one for one in stage.get("deps", []) if one["path"].startswith(ARTIFACTS))


def _code(stage: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    return (one for one in stage.get("deps", []) if not one["path"].startswith(ARTIFACTS))


def _said(home: Path, stage: str) -> dict[str, Any]:
    if stage not in TOLD:
        return {}
    name, keys = TOLD[stage]
    said = _json(home / ARTIFACTS / stage / name)
    return {name.removesuffix(".json"): {key: said[key] for key in keys if key in said}} if said else {}


def _commit(home: Path) -> str | None:
    """None outside of git, and where there is no git."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], cwd=home, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def _json(file: Path) -> dict[str, Any]:
    return dict(json.loads(file.read_text())) if file.is_file() else {}


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
