"""Pushes a bundle that passed the gate to the hub; refuses any other, and says why."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from inference_runtime import bundle
from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from pipeline import hub as hubs
from pipeline import origin
from pipeline.hub import known
from pipeline.params import Hub, Publish
from pipeline.progress import say
from pipeline.publish import hotkey
from pipeline.publish.papers import papers


def run(params: Publish, hub: Hub, gate: Path, export: Path, assemble: Path, out: Path) -> None:
    verdict = json.loads((gate / "verdict.json").read_text())
    challenger = bundle.load(export)
    refuse_stranger(verdict, challenger.id)
    shelf = hubs.at(hub)
    shelf.record(verdict["champion"], hubs.Attempt.of(verdict))
    why = _objection(shelf, verdict)
    if why:
        receipt = _refusal(verdict, why)
    else:
        hotkey.refuse_wrong(params.hotkey)
        receipt = _release(params, shelf, challenger, verdict, _counts(assemble))
    known.note(shelf)
    (out / "receipt.json").write_text(json.dumps(receipt, indent=2))
    told = {"published": receipt["version"]} if receipt["published"] else {"refused": verdict["value"]}
    (out / "summary.json").write_text(json.dumps(told))


def refuse_stranger(verdict: dict[str, Any], challenger: str) -> None:
    if verdict["challenger"] != challenger:
        raise Fixable(
            f"artifacts/gate/verdict.json: speaks of bundle {verdict['challenger']}, but artifacts/export "
            f"holds {challenger}; run the gate again"
        )


def _objection(shelf: hubs.Shelf, verdict: dict[str, Any]) -> str | None:
    if verdict["value"] != "PASS":
        return f"the verdict is {verdict['value']}: {verdict['reasons'][0]}"
    if told := shelf.withdrawn().get(verdict["challenger"]):
        return f"it was withdrawn: {told}"
    if told := os.environ.get("REFUSED"):
        return f"not approved: {told}"
    return None


def _release(
    params: Publish, shelf: hubs.Shelf, challenger: Bundle, verdict: dict[str, Any], data: dict[str, Any]
) -> dict[str, Any]:
    version = hubs.next_version(shelf.releases())
    now = datetime.now(UTC)
    wanted = hubs.Release(
        version=version,
        bundle=challenger.id,
        beat=verdict["champion"],
        at=now.isoformat(timespec="seconds"),
        card=card(params, version, now),
        origin=origin.told() | {"dataset": challenger.lineage.get("table")},
        **_reward(verdict),
    )
    told = papers(wanted.card, challenger, verdict, data)
    done = shelf.release(challenger.folder, wanted, verdict, told)
    say(f"publish: {params.name} {done.version} is the champion")
    return {
        "published": True,
        "version": done.version,
        "bundle": done.bundle,
        "beat": done.beat,
        "at": done.at,
        "card": done.card,
        "origin": done.origin,
        "files": {name: file["sha256"] for name, file in challenger.manifest["files"].items()},
    }


def _reward(verdict: dict[str, Any]) -> dict[str, float]:
    """A verdict that fell early speaks of none."""
    seen = verdict.get("scores", {}).get("challenger", {})
    if "reward_interval" not in seen:
        return {}
    low, high = seen["reward_interval"]
    return {"reward": seen["reward"], "reward_low": low, "reward_high": high}


def card(params: Publish, version: str, now: datetime) -> dict[str, object]:
    """What the subnet asks of a model, in its own keys."""
    return {
        "model_name": params.name,
        "description": params.description,
        "version": version,
        "submitted_by": params.hotkey,
        "submission_time": int(now.timestamp()),
    }


def _counts(assemble: Path) -> dict[str, Any]:
    file = assemble / "summary.json"
    return dict(json.loads(file.read_text())) if file.exists() else {}


def _refusal(verdict: dict[str, Any], why: str) -> dict[str, Any]:
    say(f"publish: refused, {why}")
    return {"published": False, "bundle": verdict["challenger"], "why": why}
