"""The bundle in service, which the challenger must beat; a challenger never meets itself."""

import json
from pathlib import Path

from inference_runtime import bundle
from pipeline import hub as hubs
from pipeline.params import Champion, Hub

BUNDLE = "bundle"  # the folder it is copied to; absent when there is no champion


def run(params: Champion, hub: Hub, export: Path, out: Path) -> None:
    shelf = hubs.at(hub)
    challenger = bundle.load(export).id
    champion = opponent(shelf.releases(), challenger)
    if champion is not None:
        shelf.fetch(champion.bundle, out / BUNDLE)
    tried = shelf.attempts(champion.bundle if champion else None) - {challenger}
    summary = {
        "version": champion.version if champion else None,
        "bundle": champion.bundle if champion else None,
        "other_attempts": len(tried),
    }
    (out / "summary.json").write_text(json.dumps(summary))


def opponent(releases: list[hubs.Release], challenger: str) -> hubs.Release | None:
    """The reigning champion. A challenger that reigns already keeps the one it beat: its contest is over, and
    looking at it again must change nothing."""
    if releases and releases[-1].bundle == challenger:
        return next((old for old in releases if old.bundle == releases[-1].beat), None)
    return releases[-1] if releases else None
