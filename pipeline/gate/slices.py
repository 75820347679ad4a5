"""Parts of the traffic, each with a say of its own: shown not to be worse, worse, or not known yet."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.gate import paired
from pipeline.gate.contest import Answers, View
from pipeline.gate.paired import Pairs
from pipeline.gate.scores import Labels
from pipeline.params import Gate

Rows = NDArray[np.intp]
MIXED = 0.1  # the rarer label's share under which a slice is of one label
QUIET = 0.03  # discord to reckon with where a slice has shown less so far


def rows(gold: Sequence[View], extra: Sequence[View]) -> dict[str, Rows]:
    """Rows of each slice in gold followed by the other views of the replica; no family twice in any."""
    named: dict[str, list[int]] = {}
    for row, view in enumerate(gold):
        for name in _of(view):
            named.setdefault(name, []).append(row)
    for row, view in enumerate(extra, len(gold)):
        name = "painted" if view.source == "painted" else f"profile {view.profile}"
        named.setdefault(name, []).append(row)
    return {
        name: np.array(named[name]) for name in sorted(named) if len(named[name]) < len(gold) + len(extra)
    }


def _of(view: View) -> list[str]:
    level = [] if view.level is None else [f"level {view.level}"]
    return [*(view.tags or ("plain",)), *level]


def judged(answers: Answers, slices: Mapping[str, Rows], params: Gate) -> dict[str, dict[str, Any]]:
    right, before = answers.right, answers.right_before
    found = {name: paired.pairs(right[part], before[part]) for name, part in slices.items()}
    mixed = {name for name, part in slices.items() if _mixed(answers.labels[part])}
    judges = {name: pair for name, pair in found.items() if name in mixed and pair.n >= params.slice_items}
    # Of twenty slices one looks worse, and one fine, by luck: each must stand although all were seen.
    worse = paired.holm(
        {name: paired.mcnemar(pair.lost, pair.won) for name, pair in judges.items()}, params.alpha
    )
    fine = paired.holm(
        {name: paired.not_worse(pair, params.margin) for name, pair in judges.items()}, params.alpha
    )
    said = {name: _said(name, pair, worse, fine, params) for name, pair in found.items() if name in mixed}
    return {name: _told(pair) | said.get(name, {"says": "one label only"}) for name, pair in found.items()}


def vetoes(found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    return [name for name, told in found.items() if told["says"] == "worse"]


def _told(pair: Pairs) -> dict[str, Any]:
    bounds = paired.interval(pair)
    return asdict(pair) | {"gain": pair.gain, "interval": [bounds.low, bounds.high]}


def _said(name: str, pair: Pairs, worse: set[str], fine: set[str], params: Gate) -> dict[str, Any]:
    if name in worse and pair.gain <= -params.margin:
        return {"says": "worse"}
    if name in fine:
        return {"says": "not worse"}
    return {"says": "INCONCLUSIVE", "needs": needs(pair, params)}


def needs(pair: Pairs, params: Gate) -> int:
    """More items after which the slice would speak, if it goes on as it began."""
    fine = pair.gain > -params.margin
    apart = params.margin + min(pair.gain, 0.0) if fine else -pair.gain
    wanted = paired.items_for_margin(max(pair.discord, QUIET), apart, params.alpha)
    return max(wanted, params.slice_items, pair.n + 1) - pair.n


def _mixed(labels: Labels) -> bool:
    """A slice of one label tells where the fence stands, not who sees better: moving it wins there and loses
    elsewhere."""
    return bool(MIXED <= np.mean(labels) <= 1 - MIXED)
