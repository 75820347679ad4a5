"""Does the gate keep its word? Nights of challengers, better ones and worse, through its own verdict.

python -m benchmarks.gate [--quick] [--campaigns N]

A campaign is 90 nights against one champion that answers 96 % rightly; it ends with the first promotion.
Every night a new challenger comes, differs from the champion on 3 % of the items, and meets gold (2,000
items) and 100 fresh items; the other rules see the same gold. Equal and worse challengers are strangers,
which try their luck on gold anew; better ones are kin, which answer gold alike, so that only fresh items
tell more of them.
"""

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from benchmarks import gate_nights, results_file
from benchmarks.gate_nights import Firsts
from pipeline import params
from pipeline.params import Gate
from pipeline.progress import say

NIGHTS = 90
ROOT = Path(__file__).parent.parent
TURNED = 15  # the night after which the lineage that was good turns bad
GATE, ALONE = "the gate", "its fresh items alone"
STRANGERS = ("equal", "0.5 pp worse")
TRUTHS = {
    "equal": np.zeros(NIGHTS),
    "0.5 pp worse": np.full(NIGHTS, -0.005),
    "1 pp better": np.full(NIGHTS, 0.01),
    "2 pp better": np.full(NIGHTS, 0.02),
    "better, then worse": np.where(np.arange(NIGHTS) < TURNED, 0.01, -0.005),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the same code on a small size")
    parser.add_argument("--campaigns", type=int, default=2000)
    given = parser.parse_args()
    count = 100 if given.quick else given.campaigns
    numbers = params.load(ROOT / "params.yaml").gate
    firsts = {truth: promoted(truth, count, seed, numbers) for seed, truth in enumerate(TRUTHS)}
    rows = [row(truth, rule, found) for truth, rules in firsts.items() for rule, found in rules.items()]
    show(rows)
    figures = summary(rows, count)
    if not given.quick:
        results_file.write("gate", figures, rows)
        plot(firsts, ROOT / "docs" / "gate-nights.png")
    print(json.dumps(figures))


def promoted(truth: str, count: int, seed: int, numbers: Gate) -> dict[str, Firsts]:
    say(f"gate: {count} campaigns of challengers that are {truth}")
    told = gate_nights.drawn(count, TRUTHS[truth], truth not in STRANGERS, seed)
    by_gate = {GATE: gate_nights.by_gate(told, numbers), ALONE: gate_nights.by_fresh_alone(told, numbers)}
    return by_gate | {rule: gate_nights.firsts(stands(told)) for rule, stands in gate_nights.RULES.items()}


def row(truth: str, rule: str, found: Firsts) -> dict[str, Any]:
    """Of a lineage that turns bad, only the promotions of bad challengers count."""
    hits = found > TURNED if truth == "better, then worse" else found > 0
    interval = stats.binomtest(int(hits.sum()), len(found)).proportion_ci()
    nights = np.where(found > 0, found, np.inf)
    median = float(np.median(nights))
    return {
        "truth": truth,
        "rule": rule,
        "promoted": float(hits.mean()),
        "interval": [float(interval.low), float(interval.high)],
        "median_items": int(median * gate_nights.A_NIGHT) if np.isfinite(median) else None,
    }


def summary(rows: list[dict[str, Any]], campaigns: int) -> dict[str, Any]:
    said = {(one["truth"], one["rule"]): one for one in rows}
    return {
        "campaigns": campaigns,
        "false_promotion_90": said["equal", GATE]["promoted"],
        "false_promotion_90_interval": said["equal", GATE]["interval"],
        "worse_promoted": said["0.5 pp worse", GATE]["promoted"],
        "median_items_plus1pp": said["1 pp better", GATE]["median_items"],
        "median_items_plus1pp_fresh_alone": said["1 pp better", ALONE]["median_items"],
    }


def show(rows: list[dict[str, Any]]) -> None:
    print(f"{'challengers':<20} {'rule':<28} {'promoted in 90 nights':<24} {'median fresh items':>18}")
    for one in rows:
        low, high = one["interval"]
        share = f"{one['promoted']:.1%} ({low:.1%} to {high:.1%})"
        items = "-" if one["median_items"] is None else f"{one['median_items']:,}"
        print(f"{one['truth']:<20} {one['rule']:<28} {share:<24} {items:>18}")


def plot(firsts: dict[str, dict[str, Firsts]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    shown = ("equal", "0.5 pp worse", "1 pp better")
    figure, panels = pyplot.subplots(1, len(shown), figsize=(12, 4), sharey=True)
    colours = ("#d9480f", "#f59f00", "#868e96", "#495057", "#1971c2", "#9c36b5")
    for axes, truth in zip(panels, shown, strict=True):
        for colour, (rule, found) in zip(colours, firsts[truth].items(), strict=True):
            by_night = [np.mean((found > 0) & (found <= night)) for night in range(1, NIGHTS + 1)]
            axes.plot(
                range(1, NIGHTS + 1),
                by_night,
                label=rule,
                color=colour,
                linewidth=2.5 if rule == GATE else 1.3,
            )
        axes.axhline(0.05, color="black", linewidth=0.8, linestyle=":")
        axes.set(xlabel="nights asked", title=f"challengers {truth}")
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].set(ylabel="campaigns that promoted by then")
    panels[0].legend(frameon=False, fontsize=8)
    figure.tight_layout()
    figure.savefig(file, dpi=120)


if __name__ == "__main__":
    main()
