"""Puts the page together, the answer first, then what decided it, then all the rest."""

import math
from html import escape
from typing import Any

import numpy as np
import polars as pl

from pipeline import page as paper
from pipeline.gate import scores
from pipeline.gate.report import charts, pictures
from pipeline.page import card, listed, section

Told = dict[str, Any]
TITLES = {
    "PASS": "The challenger is promoted",
    "FAIL": "The challenger is refused",
    "INCONCLUSIVE": "Not known yet: the champion stays",
}
# Sets today's mark on the age curve; the page is the same whenever the gate writes it.
TODAY = """<script>
const mark = document.getElementById("today");
if (mark) {
  const days = (Date.now() - Date.parse(mark.dataset.since)) / 864e5, end = +mark.dataset.end;
  const x = 30 + 360 * Math.min(Math.max(days, 0), end) / end;
  mark.querySelector("line").setAttribute("x1", x); mark.querySelector("line").setAttribute("x2", x);
  mark.querySelector("text").setAttribute("x", Math.min(Math.max(x, 44), 376));
  mark.querySelector("text").textContent = "today, day " + Math.floor(days);
  mark.removeAttribute("hidden");
}
</script>"""

# What the night cost is told by a file beside artifacts/, for it is never the same twice.
COST = '<p id=cost class=sides></p><script src="../../var/night_cost.js"></script>'


def page(said: Told, items: pl.DataFrame | None) -> str:
    parts = [_answer(said), _cards(said), _changes(said), _slices(said)]
    if items is not None:
        gold = items.filter(pl.col("source") == "gold")
        parts += [_curves(gold), _confusion(said), *(_shown(*one) for one in pictures.changed(items).items())]
    parts += [_age(said["age"]), _details(said)]
    return paper.page(f"Gate: {said['value']}", [*parts, COST], TODAY)


def _answer(said: Told) -> str:
    sides = f"challenger <code>{said['challenger'][:12]}</code>"
    if said["champion"]:
        sides += f" against champion <code>{said['champion'][:12]}</code>"
    value = escape(said["value"])
    return (
        f'<header class="{value}"><p class="value">{value}</p><h1>{TITLES[said["value"]]}</h1>'
        f"{listed(said['reasons'])}<p class=sides>{sides}</p></header>"
    )


def _cards(said: Told) -> str:
    """The few numbers that decide."""
    cards = []
    if gold := said.get("gold"):
        low, high = gold["interval"]
        cards.append(
            card(
                "Gain on gold",
                f"{gold['gain']:+.1%}",
                f"{gold['won']} won, {gold['lost']} lost of {gold['n']:,}; {low:+.1%} … {high:+.1%}",
                f"p = {gold['p']:.2g}; attempt {gold['attempt']} may spend {gold['budget']:.2g}",
            )
        )
    if fresh := said.get("fresh"):
        share = math.log(max(fresh["height"], 1.0)) / math.log(fresh["goal"])
        cards.append(
            card(
                "Evidence of fresh items",
                f"{fresh['height']:.2g} of {fresh['goal']:.0f}",
                charts.gauge(share),
                f"{fresh['won']} won, {fresh['lost']} lost of {fresh['n']:,}, {fresh['tonight']} tonight",
            )
        )
    if replica := said.get("replica"):
        low, high = replica["mcc"]
        cards.append(
            card(
                "MCC on the replica",
                f"{low:+.3f} … {high:+.3f}",
                f"challenger minus champion, {replica['views']:,} views of {replica['families']:,} families",
                f"expected reward {replica['reward'][0]:+.3f} … {replica['reward'][1]:+.3f}",
            )
        )
    for side, name in (("challenger", "Challenger"), ("champion", "Champion")):
        if one := said.get("scores", {}).get(side):
            calibrated = one["calibration_error"] <= one["calibration_null"]
            cards.append(
                card(
                    f"{name} earns",
                    f"{one['reward']:.3f}",
                    f"accuracy {one['accuracy']:.1%}, MCC {one['mcc']:.3f}, AUC {one['auc']:.3f}",
                    f"calibration error {one['calibration_error']:.3f}, chance alone shows up to"
                    f" {one['calibration_null']:.3f}: {'calibrated' if calibrated else 'not calibrated'}",
                )
            )
    return paper.cards(cards)


def _changes(said: Told) -> str:
    return section("What would have changed it", listed(said["changes"])) if said["changes"] else ""


def _slices(said: Told) -> str:
    found = said.get("slices")
    if not found:
        return ""
    rows = sorted(found.items(), key=lambda one: one[1]["gain"])
    words = [
        f"<li><b>{escape(name)}</b>: {escape(_word(one))}</li>"
        for name, one in rows
        if one["says"] in ("worse", "INCONCLUSIVE")
    ]
    legend = (
        "<p class=legend><i class=won></i>shown not to be worse <i class=open></i>not known, or of one label"
        " <i class=lost></i>worse</p>"
    )
    summary = f"<summary>{len(words)} slices that lost or cannot say yet</summary>"
    open_ones = f"<details>{summary}<ul>{''.join(words)}</ul></details>"
    drawn = charts.intervals(rows, said["margin"])
    note = (
        "<p>Gain in points with its 95 % interval; the dashed line is the loss that vetoes. Right: items.</p>"
    )
    return section("Slices", legend + note + drawn + (open_ones if words else ""))


def _word(one: Told) -> str:
    return f"needs {one['needs']:,} more items" if one["says"] == "INCONCLUSIVE" else "worse: a veto"


def _curves(gold: pl.DataFrame) -> str:
    labels = gold["label"].to_numpy()
    if len(np.unique(labels)) < 2:
        return ""
    sides = {
        side: gold[side].to_numpy() for side in ("champion", "challenger") if not gold[side].null_count()
    }
    roc = {side: _thinned(*scores.roc(labels, p)) for side, p in sides.items()}
    recall = {side: _thinned(*scores.precision_recall(labels, p)) for side, p in sides.items()}
    reliable = {side: scores.reliability(labels, p) for side, p in sides.items()}
    drawn = "".join(
        f"<figure>{chart}<figcaption>{name}</figcaption></figure>"
        for name, chart in (
            ("ROC", charts.curves(roc, "false alarms", "hits", diagonal=True)),
            ("precision and recall", charts.curves(recall, "hits", "precision")),
            ("reliability", charts.dots(reliable, "what it said", "how often it was so")),
        )
    )
    legend = "<p class=legend><i class=challenger></i>challenger <i class=champion></i>champion</p>"
    return section("On gold", legend + f"<div class=row>{drawn}</div>")


def _thinned(xs: scores.Curve, ys: scores.Curve) -> list[tuple[float, float]]:
    """No more points than a screen can show."""
    step = max(1, len(xs) // 200)
    kept = [*range(0, len(xs) - 1, step), len(xs) - 1]
    return [(float(xs[i]), float(ys[i])) for i in kept]


def _confusion(said: Told) -> str:
    tables = []
    for side, one in said.get("scores", {}).items():
        found = one["confusion"]
        tables.append(
            f"<table><caption>{side}</caption><tr><th></th><th>says roadwork</th><th>says clear</th></tr>"
            f"<tr><th>roadwork</th><td>{found['hits']:,}</td><td class=bad>{found['misses']:,}</td></tr>"
            f"<tr><th>clear</th><td class=bad>{found['alarms']:,}</td><td>{found['rejections']:,}</td>"
            "</tr></table>"
        )
    return f"<div class=row>{''.join(tables)}</div>"


def _shown(title: str, rows: pl.DataFrame) -> str:
    figures = pictures.figures(rows)
    return section(f"{title} ({rows.height})", f"<div class=items>{figures}</div>") if figures else ""


def _age(age: Told) -> str:
    drawn = charts.age(age["full_days"], age["zero_day"], age["retrain_by"], age["upload_by"], age["since"])
    rule = "may" if age["promote"] else "may not"
    note = (
        "<p>What the network leaves of the reward, by the champion's age in days. Near the limit a challenger"
        f" that is not worse {rule} be promoted.</p>"
    )
    return section("Age", note + drawn)


def _details(said: Told) -> str:
    parity = said["parity"]
    off = "no number" if parity["max_logit"] is None else f"{parity['max_logit']:.2g}"
    rows = [
        f"engine {parity['engine']} ({parity['precision']}) against torch: {parity['views']:,} views,"
        f" largest logit difference {off}, {parity['flips']} answers flipped",
        *(
            f"{name}: {'kept' if one['kept'] else 'over'}, the budget is {one['budget']:g}"
            for name, one in said.get("budgets", {}).items()
        ),
    ]
    if dev := said.get("dev"):
        rows.append(f"dev: {dev['won']} won and {dev['lost']} lost of {dev['n']:,}")
    if cases := said.get("cases"):
        rows.append(f"incidents: {cases['asked']} asked, {len(cases['lost'])} lost")
    if fresh := said.get("fresh"):
        rows.append(f"kin: {fresh['kin']}; wealth it started with: {fresh['start']:.3g}")
    return section("Small print", listed(rows))
