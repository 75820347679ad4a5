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


def row(name: str, cell: str, round: int, ms: list[float], rps: float = 1.0, cpu_ms: float = 1.0) -> Row:
    return Row(name, name, "", "nano", cell, round, rps, cpu_ms, 1.0, 1.0, ms, 0, "")


def told(**ratios: float) -> dict[str, list[float]]:
    return {name: [ratios.get(name, 1.0), 0.0, 2.0] for name in tails.MEASURES}


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
    ratio, low, high = said["raw 1"]["Peer"]["p99"]
    assert low <= ratio <= high and abs(ratio - 0.5) < 0.03 and high - low < 0.1, "spells cancel"
    ratio, low, high = said["raw open"]["Peer"]["p99"]
    assert low <= 1.01 and high >= 0.99 and high - low < 0.1


def test_throughput_and_cpu_are_means_of_rounds() -> None:
    rows = [row(OURS, "raw 1", round, [1.0], rps, 2.0) for round, rps in enumerate((100.0, 200.0))]
    rows += [row("Peer", "raw 1", round, [1.0], 75.0, cpu) for round, cpu in enumerate((3.0, 5.0))]
    said = tails.ratios(rows, CELLS[:1])["raw 1"]["Peer"]
    assert said["rps"] == [2.0, 1.333, 2.667] and said["cpu"] == [0.5, 0.4, 0.667]


def test_the_picture_has_a_line_for_each(tmp_path: Path) -> None:
    one = {"raw 1": {"Peer, tuned": told()}}
    tails.draw(one | {"raw open": {"Peer, tuned": told()}}, tmp_path / "tails.png")
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
    longer = {
        "raw 1": {"Near": told(p99=0.2)},
        "raw open": {"Near": told(p99=1.1)},
        "raw 32": {"Near": told(rps=0.8, cpu=1.2)},
    }
    said = table.figures(found, alone, longer)
    assert plain["p99_ratio_c1"] == plain["p99_ratio_c1_raw"] == plain["p99_ratio_open_raw"] == 0.8
    assert said["p99_ratio_c1"] == said["p99_ratio_open"] == 0.8
    assert said["p99_ratio_c1_raw"] == 0.5, "of the other peer, who was not there"
    assert said["p99_ratio_open_raw"] == 1.1
    assert plain["ratio_same_preprocessing_c32_raw"] == plain["cpu_ratio_c32_raw"] == 1.0
    assert said["ratio_same_preprocessing_c32_raw"] == 0.8 and said["cpu_ratio_c32_raw"] == 1.2
