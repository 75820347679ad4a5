"""Puts the page together: what needs a person first, then what there is, then the pictures."""

from collections.abc import Iterable, Iterator
from html import escape

import polars as pl

from pipeline import page as paper
from pipeline.page import card, listed, section
from pipeline.quality.opinions import Opinion
from pipeline.quality.report import charts, sheets
from pipeline.quality.report.style import EXTRA
from pipeline.quality.report.told import Data
from pipeline.quality.shift import Shift
from pipeline.samples import CLASSES

SPLITS = ("train", "dev", "holdout", "rolling", "regression")
KINDS = ("real", "hard", "synthetic", "pseudo")
TAGS = 14  # rows of a chart that a phone can show


def page(data: Data) -> str:
    """The same page for the same night, whenever it is written."""
    parts = [_head(data), _cards(data), _charts(data), _shifts(data), _opinions(data)]
    body = [*parts, *_sheets(data), _small_print(data)]
    return paper.page("The data of the night", body, style=EXTRA)


def attention(data: Data) -> list[str]:
    """What a person should look at, in words."""
    return [
        *([f"{data.suspects.height} labels are probably wrong"] if data.suspects.height else []),
        *([f"{data.faults.height} pictures have a fault"] if data.faults.height else []),
        *(f"traffic looks unlike {shift.beside}" for shift in data.shifts if shift.alarming),
        *([f"gold lacks {data.gone} pictures that it had"] if data.gone else []),
        *(
            f"the second opinion of {one.by} has the wrong weight"
            for one in data.opinions
            if one.is_misweighed
        ),
    ]


def _head(data: Data) -> str:
    lines = attention(data)
    kind, word = ("look", "HAVE A LOOK") if lines else ("", "IN ORDER")
    taught = data.table.filter(pl.col("split") == "train").height
    title = f"{taught:,} pictures teach tonight's model"
    body = listed(lines) if lines else "<p class=sides>Nothing asks for a person tonight.</p>"
    return f'<header class="{kind}"><p class="value">{word}</p><h1>{title}</h1>{body}</header>'


def _cards(data: Data) -> str:
    split = dict(data.table.group_by("split").len().iter_rows())
    kind = dict(data.table.group_by("kind").len().iter_rows())
    tests = sum(split.get(name, 0) for name in SPLITS[2:])
    kin = data.table.filter(pl.len().over("family") > 1)["family"].n_unique()
    queued = min(data.suspects.height, data.review)
    return paper.cards(
        [
            card(
                "Teach",
                f"{split.get('train', 0):,}",
                f"and {split.get('dev', 0):,} choose among heads",
                ", ".join(f"{kind[name]:,} {name}" for name in KINDS if kind.get(name)) + " in all",
            ),
            card(
                "Judge",
                f"{tests:,}",
                ", ".join(f"{split[name]:,} {name}" for name in SPLITS[2:] if split.get(name)),
                f"{data.left_out.height:,} pictures left out of the lesson: kin of these",
            ),
            card(
                "Streets seen more than once",
                f"{kin:,}",
                f"{data.pairs.height:,} pairs of one street; none stands on two sides",
            ),
            card(
                "Labels in doubt",
                f"{data.suspects.height:,}",
                f"{queued} of them wait in the review queue, the most doubtful first",
            ),
            card("Waiting for a label", f"{_waiting(data):,}", _picked(data)),
            card("In the house", f"{data.pulled.height:,}", f"{data.faults.height:,} with a fault"),
        ]
    )


def _waiting(data: Data) -> int:
    return data.cases.filter(pl.col("label").is_null()).height


def _picked(data: Data) -> str:
    found = data.cases.group_by("reason").len().sort("len", "reason", descending=[True, False])
    return ", ".join(f"{count:,} {reason}" for reason, count in found.iter_rows()) or "nothing was picked"


def _charts(data: Data) -> str:
    by_split = {name: _labels(data.table.filter(split=name)) for name in SPLITS}
    held = {name: counts for name, counts in by_split.items() if counts}
    legend = "<p class=legend><i class=roadwork></i>roadwork <i class=clear></i>clear</p>"
    parts = [section("Labels", legend + charts.stacks(held, CLASSES[::-1]))]
    if tags := _tags(data):
        legend = "<p class=legend><i class=learned></i>what teaches <i class=traffic></i>labelled traffic</p>"
        parts.append(section("Does what teaches look like the traffic?", legend + charts.twins(tags, TWO)))
    return f"<div class=pair>{''.join(parts)}</div>"


TWO = ("learned", "traffic")


def _labels(rows: pl.DataFrame) -> dict[str, int]:
    return {CLASSES[label]: count for label, count in rows.group_by("label").len().iter_rows()}


def _tags(data: Data) -> dict[str, tuple[float, float]]:
    """Shares among tagged pictures, the largest gap first."""
    taught = data.table.filter(pl.col("split").is_in(["train", "dev"]) & (pl.col("kind") != "synthetic"))
    traffic = data.pulled.filter((pl.col("source") == "challenge") & pl.col("label").is_not_null())
    sides = [_shares(taught), _shares(traffic)]
    if not all(sides):
        return {}
    names = set().union(*sides)
    pairs = {name: (sides[0].get(name, 0.0), sides[1].get(name, 0.0)) for name in names}
    ranked = sorted(pairs, key=lambda name: (-abs(pairs[name][0] - pairs[name][1]), name))
    return {name: pairs[name] for name in ranked[:TAGS]}


def _shares(rows: pl.DataFrame) -> dict[str, float]:
    tagged = rows.filter(pl.col("tags").list.len() > 0)
    counts = tagged.explode("tags").group_by("tags").len()
    return {tag: count / tagged.height for tag, count in counts.iter_rows()}


def _shifts(data: Data) -> str:
    return "".join(section(f"Traffic, beside {shift.beside}", _shift(shift)) for shift in data.shifts)


def _shift(shift: Shift) -> str:
    score = "" if shift.score is None else f" Its scores moved by {shift.score:.2f} (stability index)."
    told = shift.told
    words = (
        f"<p>A linear model tells {told.new:,} new pictures from {told.old:,} older ones with an AUC of"
        f" {told.auc:.2f} (.5 is no difference; p = {told.p:.2g}).{score}</p>"
    )
    legend = "<p class=legend><i class=before></i>before <i class=lately></i>lately</p>"
    sides = {"before": shift.old_scores, "lately": shift.new_scores}
    return words + legend + charts.columns(sides, "what the champion said")


def _opinions(data: Data) -> str:
    if not data.opinions:
        return ""
    words = (
        "<p>Of labelled pictures on which a second opinion came, how often each was right. The best weight is"
        " that which comes nearest to the labels: <code>export.cascade.blend</code>.</p>"
    )
    heads = ("whose", "labelled", "bundle alone", "as answered", "second alone", "weight", "best weight")
    table = f"<tr>{_cells(heads, 'th')}</tr>" + "".join(map(_opinion, data.opinions))
    return section("Second opinions", f"{words}<div class=wide><table>{table}</table></div>")


def _opinion(one: Opinion) -> str:
    right = (f"{count / one.labelled:.0%}" for count in (one.alone, one.given, one.second))
    best = one.weight
    weight = f"{best.best:.2f} ({best.low:.2f} to {best.high:.2f})" if best else "too few labels yet"
    cells = _cells((f"{one.labelled:,}", *right, f"{one.blend:.2f}", weight), "td")
    return f"<tr><th>{escape(one.by)}</th>{cells}</tr>"


def _cells(said: Iterable[str], kind: str) -> str:
    return "".join(f"<{kind}>{escape(one)}</{kind}>" for one in said)


def _sheets(data: Data) -> Iterator[str]:
    for title, rows, caption in (
        ("Labels in doubt", data.suspects.head(data.review), sheets.suspect),
        ("Faults", data.faults, sheets.fault),
        ("Picked for labelling", data.cases.filter(pl.col("label").is_null()), sheets.case),
    ):
        if drawn := sheets.sheet(rows, caption):
            yield section(f"{title} ({rows.height:,})", drawn)
    if families := "".join(sheets.families(pl.concat([data.table, data.left_out]))):
        yield section("The streets seen most often", families)


def _small_print(data: Data) -> str:
    lines = [
        "Labels in doubt: confident learning on answers of models that never saw the picture nor its family.",
        "One street: the middle of one picture laid over the other, scaled and turned; see docs/data.md.",
        *data.painters,
    ]
    sources = data.pulled.group_by("source").len().sort("source")
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{count:,}</td></tr>" for name, count in sources.iter_rows()
    )
    table = f"<table><caption>pictures in the house, by where they came from</caption>{rows}</table>"
    return section("Small print", listed(lines) + table)
