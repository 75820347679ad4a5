"""Is it worth training on what validators send? Heads taught on replica views against clean images.

python -m benchmarks.replica [--quick]

Every arm sees the same labelled pictures and goes through the same training and calibration; what differs is
what its pictures look like. All answer the same fresh challenges. Intervals redraw the challenges and the
training sets alike.
"""

import argparse
import json
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import polars as pl

from benchmarks import results_file
from pipeline import challenge, features, images, params
from pipeline.params import Params
from pipeline.progress import Progress
from pipeline.replay import pay, scores
from pipeline.train import calibration, fit
from pipeline.train.views import Views
from pipeline.world import base, validators
from pipeline.world.paint import paint
from pipeline.world.scene import tags

ROOT = Path(__file__).parent.parent
CAMPAIGN = 2_000_000  # no other seed of the house comes near
ARMS = {
    "replica": ("2026-01", None),  # as params.yaml says
    "replica, one view": ("2026-01", 1),
    "clean": ("native", 1),
    "letterbox": ("letterbox", 1),
}
SHOWN = ("all", "level 0", "level 1", "level 2", "level 3", "night", "small", "far", "near-miss", "day")


@dataclass(frozen=True)
class Size:
    sets: int  # training sets, each of pictures of its own
    labels: int
    challenges: int


FULL = Size(sets=5, labels=300, challenges=2000)
QUICK = Size(sets=2, labels=40, challenges=80)


def main(size: Size, full: bool) -> None:
    cv2.setNumThreads(1)
    numbers = params.load(ROOT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {name: f"{folder}/{name}" for name in ("IMAGES", "FEATURES", "CHECKPOINTS")}
        rows, pays = measured(size, numbers)
    said = figures(rows, pays)
    show(rows, said)
    if full:
        results_file.write("replica", said, rows)
        plot(rows, results_file.FOLDER / "replica.png")
    print(json.dumps(said))


def measured(size: Size, numbers: Params) -> tuple[list[dict[str, Any]], dict[str, np.ndarray]]:
    """A row per slice, and the pay of each arm: [rounds, training sets], the first round as it was."""
    asked, vectors = challenges(size.challenges, numbers)
    weights = scores.resampled(asked, 72)
    answers: dict[str, list[np.ndarray]] = {arm: [] for arm in ARMS}
    for turn in range(size.sets):
        table = frames(turn, size.labels)
        for arm, (profile, views) in ARMS.items():
            head = taught(table.with_columns(profile=pl.lit(profile)), views or numbers.train.views, numbers)
            answers[arm].append(head.probabilities(vectors))
    rows: list[dict[str, Any]] = []
    pays: dict[str, np.ndarray] = {}
    whole = {arm: _rates(asked, asked, weights, answers[arm]) for arm in ARMS}
    for name, part in scores.slices(asked):
        if name in SHOWN:
            paid = {arm: _pay(asked, part, weights, answers[arm], whole[arm]) for arm in ARMS}
            rows.append(row(name, part.height, paid))
            pays |= paid if name == scores.WHOLE else {}
    return rows, pays


def _rates(asked: pl.DataFrame, part: pl.DataFrame, weights: Any, answers: list[np.ndarray]) -> list[Any]:
    inside = asked["number"].is_in(part["number"].to_list()).to_numpy()
    return [scores.rates(part.with_columns(p=pl.Series(p[inside])), weights, asked) for p in answers]


def _pay(
    asked: pl.DataFrame, part: pl.DataFrame, weights: Any, answers: list[np.ndarray], whole: list[Any]
) -> np.ndarray:
    own = _rates(asked, part, weights, answers)
    return np.stack([pay.expected(np.where(np.isnan(x), y, x)) for x, y in zip(own, whole, strict=True)], 1)


def pays(asked: pl.DataFrame, weights: Any, answers: list[np.ndarray]) -> np.ndarray:
    """Of all challenges: [rounds, training sets], the first round as it was."""
    return _pay(asked, asked, weights, answers, _rates(asked, asked, weights, answers))


def row(name: str, n: int, paid: dict[str, np.ndarray]) -> dict[str, Any]:
    told: dict[str, Any] = {"slice": name, "n": n}
    told |= {arm: round(float(one[0].mean()), 4) for arm, one in paid.items()}
    low, high = margin(paid["replica"] - paid["clean"])
    return told | {"margin_low": round(low, 4), "margin_high": round(high, 4)}


def margin(differences: np.ndarray) -> tuple[float, float]:
    """95 % interval of the mean difference, over redrawn pictures and redrawn training sets."""
    rng = np.random.default_rng(72)
    sets = rng.integers(differences.shape[1], size=differences[1:].shape)
    redrawn = np.take_along_axis(differences[1:], sets, axis=1).mean(1)
    low, high = np.quantile(redrawn, (0.025, 0.975))
    return float(low), float(high)


def challenges(count: int, numbers: Params) -> tuple[pl.DataFrame, np.ndarray]:
    """Fresh scenes as validators send them, and their vectors; tags and truth from the painter."""
    rows = []
    for number in Progress(range(count), "replica: challenges painted"):
        one = validators.nth(CAMPAIGN, number)
        image, named = images.put(one.data), [tag for tag in one.tags if not tag.startswith("level-")]
        level = challenge.level_of(challenge.seed_of(str(CAMPAIGN), f"view/{number}"))
        told = {"number": number, "picture": image, "image": image, "source": "challenge", "label": one.label}
        rows.append(told | {"tags": named, "level": level, "seen": bool(one.seen)})
    table = pl.DataFrame(rows).with_columns(profile=pl.lit(features.AS_SENT))
    return table, features.embed(table, 1, numbers.backbone)[0]


def frames(turn: int, count: int) -> pl.DataFrame:
    """Labelled pictures as a camera stores them."""
    rows = []
    for index in Progress(range(count), f"replica: training set {turn + 1} painted"):
        scene = base.nth(CAMPAIGN + turn, index, "traffic")
        image = images.put(base.jpeg(paint(scene)))
        rows.append({"image": image, "family": image, "label": scene.label, "tags": tags(scene)})
    return pl.DataFrame(rows).with_columns(source=pl.lit("base"), weight=pl.lit(1.0))


def taught(table: pl.DataFrame, views: int, numbers: Params) -> Any:
    """A calibrated head, as the stage makes it; every fifth picture is kept for calibration."""
    vectors, index = features.embed(table, views, numbers.backbone)
    both = Views(vectors, index.join(table, on="image", how="left", maintain_order="left"))
    kept = both.frame["image"].is_in(table["image"].gather_every(5).to_list())
    dev = Views(vectors[kept.to_numpy()], both.frame.filter(kept))
    learned = Views(vectors[~kept.to_numpy()], both.frame.filter(~kept))
    return calibration.calibrated(fit.fit(learned, numbers.train).head, dev)


def figures(rows: list[dict[str, Any]], pays: dict[str, np.ndarray]) -> dict[str, Any]:
    whole = rows[0]
    said = {arm.replace(", ", "_").replace(" ", "_"): whole[arm] for arm in ARMS}
    gain = float((pays["replica"] - pays["clean"])[0].mean())
    interval = {"margin_low": whole["margin_low"], "margin_high": whole["margin_high"]}
    return {f"reward_{name}": value for name, value in said.items()} | {"margin": round(gain, 4)} | interval


def show(rows: list[dict[str, Any]], said: dict[str, Any]) -> None:
    print("\nexpected reward on fresh challenges, by what the head was taught on")
    print("  " + "  ".join(name.rjust(max(9, len(name))) for name in rows[0]))
    for one in rows:
        cells = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in one.values()]
        print("  " + "  ".join(cell.rjust(max(9, len(name))) for cell, name in zip(cells, one, strict=True)))
    low, high = said["margin_low"], said["margin_high"]
    print(f"\nreplica over clean: {said['margin']:+.3f}, 95 % {low:+.3f} to {high:+.3f}\n")


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.add_subplot(xlabel="expected reward", title="what the head was taught on")
    for place, arm in enumerate(ARMS):
        axes.barh(np.arange(len(rows)) + 0.2 * place, [one[arm] for one in rows], 0.2, label=arm)
    axes.set_yticks(np.arange(len(rows)) + 0.3, [f"{one['slice']} ({one['n']})" for one in rows])
    axes.invert_yaxis()
    axes.legend()
    FigureCanvasAgg(figure).print_png(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replica", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same on little, in under 50 seconds")
    quick = parser.parse_args().quick
    main(QUICK if quick else FULL, full=not quick)
