"""Nights of the simulated world: labels for what `mine` picked, against as many labels picked blindly.

python -m benchmarks.nights [--quick] [--seeds N] [--unpainted]

Both arms are the same engine and meet the same challenges; the one difference is `mine.random`, which is
1.0 in the blind arm. Each night the reigning champion answers the day's challenges, all nine stages run, gate
and publisher included, and people label what was picked. The reward is that of the reigning champion on
challenges that no arm ever sees. `labels` counts those given by the next morning.
"""

import argparse
import json
import os
import shutil
import tempfile
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks import results_file
from inference_runtime import bundle
from inference_runtime.journal import Journal
from inference_runtime.predictor import Answer, Predictor
from pipeline import challenge, classifier, features, hub, images, params, samples, simulation, stages
from pipeline.params import Params
from pipeline.progress import say
from pipeline.world import people, validators

ROOT = Path(__file__).parent.parent
ARMS: dict[str, dict[str, Any]] = {"mined": {}, "blind": {"random": 1.0}}
JURY = 1_000_000  # the campaign that only measures


@dataclass(frozen=True)
class Size:
    nights: int
    challenges: int
    jury: int
    changes: dict[str, dict[str, Any]]


FULL = Size(5, 400, 1500, {"gate": {"parity_views": 64}})
QUICK = Size(
    1,
    40,
    60,
    {
        "world": {"base": 60, "gold": 40, "first": 40},
        "mine": {"cases": 10, "mistakes": 5},
        "synthesize": {"images": 4},
        "gate": {"parity_views": 8, "bootstrap": 100},
    },
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the same code on a small size")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--unpainted", action="store_true", help="nothing is painted: only labels differ")
    given = parser.parse_args()
    size, seeds = (QUICK, 1) if given.quick else (FULL, given.seeds)
    name = "nights-unpainted" if given.unpainted else "nights"
    if given.unpainted:
        size = replace(size, changes=size.changes | {"synthesize": {"images": 0}})
    with tempfile.TemporaryDirectory() as folder:
        rows = campaigns(Path(folder), seeds, size)
    figures = summary(rows)
    show(rows)
    if not given.quick:
        results_file.write(name, figures, rows)
        plot(rows, ROOT / "docs" / f"{name}.png")
    print(json.dumps(figures))


def campaigns(folder: Path, seeds: int, size: Size) -> list[dict[str, Any]]:
    """Each arm and seed in a process and a working folder of its own, as many at once as there are cores."""
    # Pictures and vectors lie in one place: what one arm has seen is not computed again by the other.
    os.environ |= {
        "IMAGES": str(folder / "images"),
        "FEATURES": str(folder / "features"),
        "PAINTINGS": str(folder / "paintings.sqlite"),
    }
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        juries = list(pool.map(Jury.of, range(seeds), repeat(size.jury)))
        told = [
            pool.submit(campaign, folder, arm, seed, size, jury)
            for seed, jury in enumerate(juries)
            for arm in ARMS
        ]
        return [row for one in told for row in one.result()]


def campaign(folder: Path, arm: str, seed: int, size: Size, jury: "Jury") -> list[dict[str, Any]]:
    home = folder / f"{arm}-{seed}"
    home.mkdir()
    os.chdir(home)
    numbers = _numbers(seed, size, ARMS[arm])
    simulation.seed(numbers)
    rows = [jury.row(numbers, arm, seed, 0, 0)]
    for night in range(1, size.nights + 1):
        labels = one_night(numbers, seed, night, size)
        rows.append(jury.row(numbers, arm, seed, night, labels))
    os.chdir(folder)
    shutil.rmtree(home)
    return rows


def _numbers(seed: int, size: Size, mining: dict[str, Any]) -> Params:
    numbers = params.load(ROOT / "params.yaml").model_dump()
    for section, changes in size.changes.items():
        numbers[section] |= changes
    numbers["people"]["dataset"] = None
    numbers["world"]["seed"] = 1000 * (seed + 1)
    numbers["mine"] |= mining
    # Set aside for the gate, they would be lost to learning for longer than the few nights last.
    numbers["fresh"]["share"] = 0.0
    return params.parse(numbers)


def one_night(numbers: Params, seed: int, night: int, size: Size) -> int:
    """A day of challenges, a night of stages, a morning of labels; how many labels there are by now."""
    first = (night - 1) * size.challenges
    _answer_all(numbers, range(first, first + size.challenges))
    for stage in stages.NAMES:
        stages.run(stage, numbers, Path("artifacts"))
    _label(night)
    return sum(sum(1 for _ in file.open()) - 1 for file in Path("var/labels").glob("*.csv"))


def _answer_all(numbers: Params, wanted: range) -> None:
    predictor = Predictor(bundle.load(_champion(numbers)))
    journal = Journal(Path(numbers.pull.journal))
    with simulation.TRUTH.open("a") as ledger:
        for number in wanted:
            one = validators.nth(numbers.world.seed + 2, number)
            answer = predictor.predict([one.data])[0]
            assert isinstance(answer, Answer)
            journal.append(answer, one.data, 0.0)
            truth = {"image": answer.image, "label": one.label, "seen": one.seen, "tags": one.tags}
            ledger.write(json.dumps(truth) + "\n")
    journal.close()


def _label(night: int) -> None:
    cases = samples.read(Path("artifacts/mine")).filter(pl.col("label").is_null())["image"].to_list()
    now = datetime.now(UTC).isoformat()
    said = people.answers(cases, simulation.TRUTH)
    lines = [f"{image},{answer.label},world,{now}\n" for image, answer in said.items()]
    Path("var/labels").mkdir(parents=True, exist_ok=True)
    Path(f"var/labels/{night}.csv").write_text("image,label,labeler,at\n" + "".join(lines))


def _champion(numbers: Params) -> Path:
    shelf = hub.at(numbers.hub)
    champion = hub.reigning(shelf)
    assert champion
    return shelf.place(champion.bundle)


@dataclass(frozen=True)
class Jury:
    """Challenges that no arm ever sees, answered by each champion through cached vectors and its head."""

    table: pl.DataFrame
    labels: tuple[int, ...]

    @classmethod
    def of(cls, seed: int, count: int) -> "Jury":
        say(f"nights: painting {count} challenges that only measure")
        drawn = [validators.nth(JURY + seed, number) for number in range(count)]
        rows = [{"image": images.put(one.data), "profile": features.AS_SENT} for one in drawn]
        return cls(pl.DataFrame(rows), tuple(one.label for one in drawn))

    def row(self, numbers: Params, arm: str, seed: int, night: int, labels: int) -> dict[str, Any]:
        vectors, _ = features.embed(self.table, 1, numbers.backbone)
        p = classifier.read(_champion(numbers), numbers.backbone).probabilities(vectors)
        reward = challenge.expected_reward(self.labels, p)
        accuracy = float(np.mean((p > 0.5) == np.array(self.labels)))
        champions = len(hub.at(numbers.hub).releases())
        say(f"nights: {arm} seed {seed} night {night}: {labels} labels, reward {reward:.3f}")
        return {
            "arm": arm,
            "seed": seed,
            "night": night,
            "labels": labels,
            "champions": champions,
            "reward": reward,
            "accuracy": accuracy,
        }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    table = pl.DataFrame(rows)
    last = table.filter(pl.col("night") == table["night"].max())
    first = table.filter(pl.col("night") == 0)
    mined, blind = (last.filter(pl.col("arm") == arm).sort("seed")["reward"].to_numpy() for arm in ARMS)
    return {
        "reward_first": float(first["reward"].mean()),  # type: ignore[arg-type]
        "reward_mined": float(mined.mean()),
        "reward_blind": float(blind.mean()),
        "mined_ahead_in": int((mined > blind).sum()),
        "seeds": len(mined),
    }


def show(rows: list[dict[str, Any]]) -> None:
    table = (
        pl.DataFrame(rows)
        .group_by("night", "arm")
        .agg(pl.col("labels", "reward", "accuracy", "champions").mean())
    )
    print(f"{'night':>5} {'arm':<6} {'labels':>6} {'reward':>7} {'accuracy':>8} {'champions':>9}")
    for night, arm, labels, reward, accuracy, champions in table.sort("night", "arm").iter_rows():
        print(f"{night:>5} {arm:<6} {labels:>6.0f} {reward:>7.3f} {accuracy:>8.3f} {champions:>9.1f}")


def plot(rows: list[dict[str, Any]], file: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4))
    colours = {"mined": "#d9480f", "blind": "#868e96"}
    table = pl.DataFrame(rows)
    for arm in ARMS:
        mine = table.filter(pl.col("arm") == arm)
        for _, line in mine.group_by("seed"):
            axes.plot(line["night"], line["reward"], color=colours[arm], alpha=0.25, linewidth=1)
        mean = mine.group_by("night").agg(pl.col("reward").mean()).sort("night")
        label = "labels for what mine picked" if arm == "mined" else "as many labels, picked blindly"
        axes.plot(mean["night"], mean["reward"], color=colours[arm], linewidth=2.5, marker="o", label=label)
    axes.set(
        xlabel="night", ylabel="expected reward of the champion", title="Five nights of the simulated world"
    )
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    figure.savefig(file, dpi=130)


if __name__ == "__main__":
    main()
