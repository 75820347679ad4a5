"""Pushes a bundle that passed the gate to the hub; refuses any other, and says why."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference_runtime import bundle
from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline.params import Hub, Publish
from pipeline.progress import say


def run(params: Publish, hub: Hub, gate: Path, export: Path, out: Path) -> None:
    verdict = json.loads((gate / "verdict.json").read_text())
    challenger = bundle.load(export)
    refuse_stranger(verdict, challenger.id)
    shelf = hubs.at(hub)
    shelf.record(verdict["champion"], hubs.Attempt.of(verdict))
    receipt = _release(params, shelf, export, verdict) if verdict["value"] == "PASS" else _refusal(verdict)
    (out / "receipt.json").write_text(json.dumps(receipt, indent=2))
    told = {"published": receipt["version"]} if receipt["published"] else {"refused": verdict["value"]}
    (out / "summary.json").write_text(json.dumps(told))


def refuse_stranger(verdict: dict[str, Any], challenger: str) -> None:
    if verdict["challenger"] != challenger:
        raise Fixable(
            f"artifacts/gate/verdict.json: speaks of bundle {verdict['challenger']}, but artifacts/export "
            f"holds {challenger}; run the gate again"
        )


def _release(params: Publish, shelf: hubs.Shelf, export: Path, verdict: dict[str, Any]) -> dict[str, Any]:
    version = hubs.next_version(shelf.releases())
    now = datetime.now(UTC)
    wanted = hubs.Release(
        version=version,
        bundle=verdict["challenger"],
        beat=verdict["champion"],
        at=now.isoformat(timespec="seconds"),
        card=card(params, version, now),
    )
    done = shelf.release(export, wanted, verdict)
    say(f"publish: {params.name} {done.version} is the champion")
    return {"published": True, "version": done.version, "bundle": done.bundle, "beat": done.beat}


def card(params: Publish, version: str, now: datetime) -> dict[str, object]:
    """What the subnet asks of a model, in its own keys."""
    return {
        "model_name": params.name,
        "description": params.description,
        "version": version,
        "submitted_by": params.hotkey,
        "submission_time": int(now.timestamp()),
    }


def _refusal(verdict: dict[str, Any]) -> dict[str, Any]:
    why = f"the verdict is {verdict['value']}: {verdict['reasons'][0]}"
    say(f"publish: refused, {why}")
    return {"published": False, "bundle": verdict["challenger"], "why": why}
