"""What there is to label: four pools of pictures as vectors, each with a test apart, dealt anew by seed."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import realset
from pipeline import features, images, params
from pipeline.progress import Progress
from pipeline.world import validators

ROOT = Path(__file__).parents[2]
CAMPAIGN = 4_000_000

Vectors = NDArray[np.float32]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Pool:
    """`labels` is what people would say of `vectors`; only those of the test are always right."""

    vectors: Vectors
    labels: Labels
    test: Vectors
    answers: Labels


@dataclass(frozen=True)
class Sizes:
    digits: int
    bursts: int  # different digits, each photographed several times
    painted: int
    tests: int  # of the painted ones


Deal = Callable[[int], Pool]


def digits(size: Sizes) -> Deal:
    """Scans of handwriting, 64 grey levels each: the small pool of the literature, balanced and clean."""
    vectors, labels = _scans()

    def deal(seed: int) -> Pool:
        order = np.random.default_rng((seed, 1)).permutation(len(labels))
        held, test = order[: size.digits], order[size.digits :]
        return Pool(vectors[held], labels[held], vectors[test], labels[test])

    return deal


def bursts(size: Sizes) -> Deal:
    """Digits as a camera takes them: some of them very often, a fifth of them nothing that can be read, and
    every twentieth label wrong."""
    vectors, labels = _scans()

    def deal(seed: int) -> Pool:
        dice = np.random.default_rng((seed, 2))
        order = dice.permutation(len(labels))
        held, test = order[: size.bursts], order[size.bursts :]
        scenes, said = _with_junk(vectors[held], labels[held], dice)
        frames = np.minimum(1 + dice.geometric(0.12, len(scenes)), 40)
        which = np.repeat(np.arange(len(scenes)), frames)
        shaken = scenes[which] + dice.normal(0, 0.01, (len(which), scenes.shape[1])).astype(np.float32)
        wrong = dice.random(len(which)) < 0.05
        heard = np.where(wrong, dice.integers(10, size=len(which)), said[which])
        mixed = dice.permutation(len(which))
        return Pool(shaken[mixed], heard[mixed], vectors[test], labels[test])

    return deal


def _with_junk(scenes: Vectors, labels: Labels, dice: np.random.Generator) -> tuple[Vectors, Labels]:
    """A quarter as many again: two digits in one picture, called by the name of either."""
    left, right = dice.integers(len(scenes), size=(2, len(scenes) // 4))
    both = (scenes[left] + scenes[right]) / 2
    named = np.where(dice.random(len(left)) < 0.5, labels[left], labels[right])
    return np.concatenate([scenes, both]), np.concatenate([labels, named])


def _scans() -> tuple[Vectors, Labels]:
    from sklearn.datasets import load_digits

    scans = load_digits()
    return (scans.data / 16).astype(np.float32), scans.target.astype(np.int64)


def painted(size: Sizes) -> Deal:
    """Challenges of the painted world through the shipped backbone, named by what can be seen in them."""
    vectors, labels = _kept(
        f"painted-{size.painted + size.tests}", lambda: _streets(size.painted + size.tests)
    )

    def deal(seed: int) -> Pool:
        order = np.random.default_rng((seed, 3)).permutation(len(labels))
        held, test = order[: size.painted], order[size.painted :]
        return Pool(vectors[held], labels[held], vectors[test], labels[test])

    return deal


def photos(data: Path) -> Deal:
    """Real streets; cities are tested on that nothing was labelled of, for the camera gives the kind away."""

    def made() -> tuple[Vectors, Labels]:
        rows = realset.photos(data, every=1)
        vectors, _ = features.embed(rows, 1, params.load(ROOT / "params.yaml").backbone)
        cities = rows["city"].rank("dense").to_numpy().astype(np.int64)
        return vectors, rows["label"].to_numpy().astype(np.int64) + 2 * cities

    vectors, coded = _kept("photos", made)
    labels, cities = coded % 2, coded // 2

    def deal(seed: int) -> Pool:
        test = _foreign(labels, cities, np.random.default_rng((seed, 4)))
        return Pool(vectors[~test], labels[~test], vectors[test], labels[test])

    return deal


def _foreign(labels: Labels, cities: Labels, dice: np.random.Generator) -> NDArray[np.bool_]:
    """Whole cities, at random, until a third of each kind is among them."""
    test = np.zeros(len(labels), bool)
    for city in dice.permutation(np.unique(cities)):
        for_kind = [test[labels == kind].mean() for kind in (0, 1)]
        kinds = np.unique(labels[cities == city])
        if any(for_kind[kind] < 1 / 3 for kind in kinds):
            test |= cities == city
        if min(test[labels == kind].mean() for kind in (0, 1)) >= 1 / 3:
            break
    return test


def _streets(count: int) -> tuple[Vectors, Labels]:
    backbone = params.load(ROOT / "params.yaml").backbone
    drawn = [
        validators.nth(CAMPAIGN, number) for number in Progress(range(count), "mining: painting streets")
    ]
    rows = [{"image": images.put(one.data), "profile": features.AS_SENT} for one in drawn]
    vectors, _ = features.embed(pl.DataFrame(rows), 1, backbone)
    return vectors, np.array([one.seen for one in drawn], np.int64)


def _kept(name: str, make: Callable[[], tuple[Vectors, Labels]]) -> tuple[Vectors, Labels]:
    """Vectors are made once: in var/mining they wait for the next run."""
    home = ROOT / "var" / "mining"
    file = home / f"{name}.npz"
    if not file.exists():
        os.environ |= {name: str(home / name.lower()) for name in ("IMAGES", "FEATURES")}
        vectors, labels = make()
        home.mkdir(parents=True, exist_ok=True)
        np.savez(file, vectors=vectors.astype(np.float16), labels=labels)
    with np.load(file) as held:
        return held["vectors"].astype(np.float32), held["labels"]
