"""A ratio of p99s is told with how far it may be off, and a round stands or falls as a whole."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.serving import table, tails
from benchmarks.serving.entrants import OURS
from benchmarks.serving.plans import Cell
from benchmarks.serving.race import Alone
from benchmarks.serving.track import Row

CELLS = [Cell("raw", 1), Cell("raw", 256, 0.5)]


def row(name: str, cell: str, round: int, ms: list[float]) -> Row:
    return Row(name, name, "", "nano", cell, round, 1.0, 1.0, 1.0, 1.0, ms, 0, "")


def test_who_is_lower_by_how_much() -> None:
    draw = np.random.default_rng(0)

    def ms(scale: float, spell: float = 1.0) -> list[float]:
        return (scale * spell * draw.uniform(1, 2, 400)).tolist()

    rows = [row("Peer", "json 32", 0, [9.0])]  # of another cell
    for round, spell in enumerate(draw.uniform(0.5, 2, 8)):  # the machine's, the same for both
        rows += [row(OURS, "raw 1", round, ms(1.0, spell)), row("Peer", "raw 1", round, ms(2.0, spell))]
        rows += [row(OURS, "raw open", round, ms(1.0)), row("Peer", "raw open", round, ms(1.0))]
    said = tails.ratios(rows, CELLS)
    assert {cell: set(peers) for cell, peers in said.items()} == {"raw 1": {"Peer"}, "raw open": {"Peer"}}
    ratio, low, high = said["raw 1"]["Peer"]
    assert low <= ratio <= high and abs(ratio - 0.5) < 0.03 and high - low < 0.1, "spells cancel"
    ratio, low, high = said["raw open"]["Peer"]
    assert low <= 1.01 and high >= 0.99 and high - low < 0.1


def test_the_picture_has_a_line_for_each(tmp_path: Path) -> None:
    one = {"raw 1": {"Peer, tuned": [0.9, 0.8, 1.1]}}
    tails.draw(one | {"raw open": {"Peer, tuned": [1.2, 1.1, 1.3]}}, tmp_path / "tails.png")
    tails.draw(one, tmp_path / "one.png")
    assert Image.open(tmp_path / "tails.png").height > Image.open(tmp_path / "one.png").height


def test_a_longer_race_tells_of_those_who_ran_in_it() -> None:
    cells = [*CELLS, Cell("json", 1), Cell("json", 256, 0.5), Cell("json", 32), Cell("raw", 32)]
    rows = [
        replace(row(name, cell.title, 0, [ms]), dress=dress)
        for cell in cells
        for name, dress, ms in ((OURS, "", 8.0), ("Near", "our preprocessing", 10.0), ("Far", "tuned", 16.0))
    ]
    alone = [Alone(one.title, one.name, one.dress, 1.0, 1.0, 1.0) for one in rows]
    found = table.lines(rows)
    plain = table.figures(found, alone)
    told = table.figures(
        found, alone, {"raw 1": {"Near": [0.2, 0.1, 0.3]}, "raw open": {"Near": [1.1, 1, 1.2]}}
    )
    assert plain["p99_ratio_c1"] == plain["p99_ratio_c1_raw"] == plain["p99_ratio_open_raw"] == 0.8
    assert told["p99_ratio_c1"] == told["p99_ratio_open"] == 0.8
    assert told["p99_ratio_c1_raw"] == 0.5, "of the other peer, who was not there"
    assert told["p99_ratio_open_raw"] == 1.1
