"""The bundle in service, which the challenger must beat; a challenger never meets itself."""

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

from inference_runtime import bundle
from pipeline import clock
from pipeline import hub as hubs
from pipeline.params import Age, Champion, Hub

BUNDLE = "bundle"  # the folder it is copied to; absent when there is no champion
LEDGER = "ledger.json"  # what others have tried against it


def run(params: Champion, hub: Hub, age: Age, export: Path, out: Path) -> None:
    shelf = hubs.at(hub)
    challenger = bundle.load(export).id
    champion = opponent(hubs.reigns(shelf), challenger)
    if champion is not None:
        shelf.fetch(champion.bundle, out / BUNDLE)
    # Its own attempt is left out: recording it must not make tomorrow's quiet night look again.
    others = [
        one for one in shelf.attempts(champion.bundle if champion else None) if one.challenger != challenger
    ]
    (out / LEDGER).write_text(json.dumps([asdict(one) for one in others]))
    summary = {
        "version": champion.version if champion else None,
        "bundle": champion.bundle if champion else None,
        "since": champion.at if champion else None,
        "due": champion is not None and due(champion, age),
        "other_attempts": len(others),
    }
    (out / "summary.json").write_text(json.dumps(summary))


def due(champion: hubs.Release, age: Age) -> bool:
    """Whether it is so old that merely keeping its level is reason enough to replace it."""
    days = (clock.moment() - datetime.fromisoformat(champion.at)).total_seconds() / 86_400
    return age.promote and days >= age.retrain_by


def opponent(releases: list[hubs.Release], challenger: str) -> hubs.Release | None:
    """The reigning champion. A challenger that reigns already keeps the one it beat: its contest is over, and
    looking at it again must change nothing."""
    if releases and releases[-1].bundle == challenger:
        return next((old for old in releases if old.bundle == releases[-1].beat), None)
    return releases[-1] if releases else None
