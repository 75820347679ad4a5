"""The bundle in service, which the challenger must beat; a challenger never meets itself."""

import json
from dataclasses import asdict
from pathlib import Path

from inference_runtime import bundle
from pipeline import hub as hubs
from pipeline.params import Champion, Hub

BUNDLE = "bundle"  # the folder it is copied to; absent when there is no champion
LEDGER = "ledger.json"  # what others have tried against it


def run(params: Champion, hub: Hub, export: Path, out: Path) -> None:
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
        "other_attempts": len(others),
    }
    (out / "summary.json").write_text(json.dumps(summary))


def opponent(releases: list[hubs.Release], challenger: str) -> hubs.Release | None:
    """The reigning champion. A challenger that reigns already keeps the one it beat: its contest is over, and
    looking at it again must change nothing."""
    if releases and releases[-1].bundle == challenger:
        return next((old for old in releases if old.bundle == releases[-1].beat), None)
    return releases[-1] if releases else None
