"""Does painting what failures ask for beat painting at random? And does the filter catch bad batches?

python -m benchmarks.painting [--quick]
"""

import argparse
import io
import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image
from scipy import stats

from benchmarks import results_file
from inference_runtime import preprocess
from pipeline import challenge, features, images, linear, params, samples
from pipeline.assemble import proof
from pipeline.mine import judged
from pipeline.params import Backbone, Proof, Synthesize
from pipeline.progress import say
from pipeline.synthesize import filter as sieve
from pipeline.synthesize import frames, plan, prompts
from pipeline.synthesize.order import Order
from pipeline.synthesize.painters.procedural import Procedural
from pipeline.world import base, scene
from pipeline.world.paint import paint

WEAK = ("night", "rain", "small")
PAINTED_WEIGHT, DECAY = 0.5, 0.1
ARMS = ("none", "untargeted", "targeted")


@dataclass(frozen=True)
class Size:
    seeds: int
    base: int
    traffic: int  # labelled pictures a night, a fifth of them of the weak slice
    painted: int  # a night
    nights: int
    tests: int
    planted: int  # of each kind of bad picture


FULL = Size(seeds=10, base=200, traffic=80, painted=40, nights=3, tests=300, planted=60)
QUICK = Size(seeds=2, base=60, traffic=30, painted=16, nights=2, tests=40, planted=12)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="the same on a small size")
    quick = parser.parse_args().quick
    shipped, size = params.load(), QUICK if quick else FULL
    with tempfile.TemporaryDirectory() as folder:
        os.environ |= {"IMAGES": f"{folder}/images", "FEATURES": f"{folder}/features"}
        campaigns = [campaign(seed, size, shipped.synthesize, shipped.backbone) for seed in range(size.seeds)]
        caught = planted(size.planted, shipped.synthesize, shipped.backbone)
    figures = summary(campaigns) | {f"caught_{kind}": share for kind, share in caught.items()}
    show(campaigns, caught)
    if not quick:
        results_file.write("painting", figures, campaigns)
    print(json.dumps(figures))


# -- targeted against untargeted ---------------------------------------------------------------------------


def campaign(seed: int, size: Size, settings: Synthesize, backbone: Backbone) -> dict[str, Any]:
    """One world: the same real labels for each arm, night by night; only what is painted differs."""
    tests = streets(seed, "test", size.tests, weak=1.0), streets(seed, "general", size.tests, weak=0.0)
    row: dict[str, Any] = {"seed": seed}
    for arm in ARMS:
        known = [streets(seed, "base", size.base, weak=0.0, mix="base")]
        for night in range(size.nights):
            champion = learned(known, backbone)
            fresh = streets(seed, f"night {night}", size.traffic, weak=0.2)
            answered = fresh.with_columns(p=champion.p(vectors(fresh, backbone)))
            known += [fresh, painted(arm, answered, settings, size.painted, seed * 100 + night)]
        final = learned(known, backbone)
        row |= {
            f"{arm}_{name}": earned(final, test, backbone)
            for name, test in zip(("slice", "all"), tests, strict=True)
        }
    row["harmful_dropped"] = drops_the_harmful(known, backbone)
    say(f"painting: {json.dumps(row)}")
    return row


def painted(arm: str, answered: pl.DataFrame, settings: Synthesize, count: int, seed: int) -> pl.DataFrame:
    match arm:
        case "none":
            return streets(seed, "nothing", 0, 0.0)
        case "untargeted":
            orders = [at_random(n, seed) for n in range(count)]
        case _:
            given = settings.model_copy(update={"images": count, "seed": seed})
            modes: plan.Modes = {"procedural": Procedural.modes}
            slices, cases = judged.slices(answered), judged.mistakes(answered, 40)
            orders = plan.orders(cases, slices, given, modes, lambda image: None)
    rows = [
        {"image": images.put(made.data), "label": order.label, "tags": list(order.tags), "source": "painted"}
        for order, made in zip(orders, Procedural().paint(orders), strict=True)
        if hasattr(made, "data")
    ]
    return as_samples(rows)


def at_random(number: int, seed: int) -> Order:
    dice = challenge.seed_of("untargeted", f"{seed}/{number}") % 2**31
    return Order("procedural", "text", "", "", number % 2, (), dice, *prompts.prompt(number % 2, (), dice))


def streets(seed: int, name: str, count: int, weak: float, mix: str = "traffic") -> pl.DataFrame:
    """Labelled streets, half of them with roadwork; a share of them is of the weak slice."""
    rows = []
    for number in range(count):
        label, dice = number % 2, challenge.seed_of(name, f"{seed}/{number}") % 2**31
        pinned = {tag for tag in WEAK if label or tag != "small"} if number // 2 % 100 < weak * 100 else set()
        one = scene.scene(dice, label, pinned, mix)
        rows.append({"image": images.put(base.jpeg(paint(one))), "label": label, "tags": scene.tags(one)})
    return as_samples([row | {"source": "base"} for row in rows])


def as_samples(rows: list[dict[str, Any]]) -> pl.DataFrame:
    table = samples.frame(rows, samples.PULLED)
    return table.with_columns(family="image", profile=pl.lit("native"), at=pl.lit(0).cast(samples.MOMENT))


def learned(known: Sequence[pl.DataFrame], backbone: Backbone) -> linear.Linear:
    table = pl.concat(known)
    weights = np.where(table["source"] == "painted", PAINTED_WEIGHT, 1.0)
    return linear.fit(vectors(table, backbone), table["label"].to_numpy(), weights, DECAY)


def vectors(table: pl.DataFrame, backbone: Backbone) -> NDArray[np.float32]:
    return features.embed(table, 1, backbone)[0]


def earned(model: linear.Linear, test: pl.DataFrame, backbone: Backbone) -> float:
    return round(challenge.expected_reward(test["label"].to_numpy(), model.p(vectors(test, backbone))), 4)


def drops_the_harmful(known: Sequence[pl.DataFrame], backbone: Backbone) -> bool:
    """The last night's batch once more, its labels turned round: is it left out?"""
    real = pl.concat([part for part in known if part.height and part["source"][0] != "painted"])
    liar = known[-1].with_columns(label=1 - pl.col("label"), parent=pl.lit("case"), source=pl.lit("liar"))
    table = pl.concat([samples.conform(part, samples.ASSEMBLED) for part in (real, liar)])
    kept, _ = proof.proven(
        table.with_columns(split=pl.lit("train")), Proof(rows=60, slice_rows=20), PAINTED_WEIGHT, backbone
    )
    return "liar" not in set(kept["source"])


# -- what the filter catches -------------------------------------------------------------------------------


def planted(count: int, settings: Synthesize, backbone: Backbone) -> dict[str, float]:
    """The share of each kind of bad picture that is thrown away, and of good ones."""
    real = pl.concat(
        [
            streets(0, "real", max(220, count), 0.0),
            streets(0, "gold", count, 0.0).with_columns(source=pl.lit("gold")),
        ]
    )
    good = [images.read(name) for name in streets(0, "good", count, 0.2)["image"]]
    gold = [preprocess.decode(images.read(name)) for name in real.filter(source="gold")["image"]]
    clear = real.filter((pl.col("label") == 0) & (pl.col("source") != "gold"))["image"].to_list()[:count]
    dice = np.random.default_rng(0)

    def share(
        data: list[bytes], labels: Sequence[int], mode: str = "text", parents: Sequence[str] = ()
    ) -> float:
        rows = [
            {"image": images.put(one), "label": label, "mode": mode, "source": "p", "parent": parent}
            for one, label, parent in zip(data, labels, parents or [""] * len(data), strict=True)
        ]
        reasons = sieve.judge(samples.frame(rows, samples.PAINTED), real, settings.filter, backbone)
        return round(sum(why is not None for why in reasons) / len(reasons), 3)

    halves = [n % 2 for n in range(count)]
    return {
        "blank": share(
            [_jpeg(np.full((360, 640, 3), dice.integers(0, 255), np.uint8)) for _ in range(count)], halves
        ),
        "copy_of_gold": share([_saved_again(pixels, dice) for pixels in gold], halves),
        "off_domain": share([_doodle(dice) for _ in range(count)], halves),
        "edit_that_ignored_the_words": share(
            [frames.jpeg(frames.case(name, 1024, 576)) for name in clear], [1] * len(clear), "add", clear
        ),
        "label_swapped": share(good, [1 - label for label in halves]),
        "good": share(good, halves),
    }


def _saved_again(pixels: NDArray[np.uint8], dice: np.random.Generator) -> bytes:
    scale = dice.uniform(0.4, 1.3)
    sized = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    lit = np.clip(sized * dice.uniform(0.8, 1.2) + dice.uniform(-15, 15), 0, 255).astype(np.uint8)
    return _jpeg(lit[:, ::-1] if dice.random() < 0.5 else lit, int(dice.integers(40, 95)))


def _doodle(dice: np.random.Generator) -> bytes:
    """What a painter gone astray makes: patterns, noise, drawings."""
    pixels = np.full((360, 640, 3), dice.integers(0, 255, 3), np.uint8)
    kind = dice.integers(3)
    if kind == 0:
        pixels = dice.integers(0, 255, pixels.shape, np.uint8)
    for _ in range(60 if kind else 0):
        ends = [(int(dice.integers(640)), int(dice.integers(360))) for _ in range(2)]
        colour = tuple(map(int, dice.integers(0, 255, 3)))
        draw: Callable[..., Any] = cv2.line if kind == 1 else cv2.rectangle
        draw(pixels, *ends, colour, int(dice.integers(1, 12)))
    return _jpeg(pixels)


def _jpeg(pixels: NDArray[np.uint8], quality: int = 88) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return file.getvalue()


# -- the table ---------------------------------------------------------------------------------------------


def summary(campaigns: list[dict[str, Any]]) -> dict[str, Any]:
    gains = {
        name: [row[f"targeted_{name}"] - row[f"untargeted_{name}"] for row in campaigns]
        for name in ("slice", "all")
    }
    low, high = _interval(gains["slice"])
    return {
        "slice_gain": round(float(np.mean(gains["slice"])), 4),
        "slice_gain_interval": [low, high],
        "general_gain": round(float(np.mean(gains["all"])), 4),
        "general_gain_interval": _interval(gains["all"]),
        "harmful_dropped": sum(row["harmful_dropped"] for row in campaigns) / len(campaigns),
    }


def _interval(gains: list[float]) -> tuple[float, float]:
    """95 %, by Student over the seeds."""
    error = float(stats.sem(gains)) * float(stats.t.ppf(0.975, len(gains) - 1))
    return round(float(np.mean(gains)) - error, 4), round(float(np.mean(gains)) + error, 4)


def show(campaigns: list[dict[str, Any]], caught: dict[str, float]) -> None:
    print(f"expected reward after the last night, means of {len(campaigns)} worlds")
    print(f"{'painted':12} {'night+rain+small':>18} {'all traffic':>12}")
    for arm in ARMS:
        means = [np.mean([row[f"{arm}_{name}"] for row in campaigns]) for name in ("slice", "all")]
        print(f"{arm:12} {means[0]:18.3f} {means[1]:12.3f}")
    print("\nthrown away by the filter")
    for kind, part in caught.items():
        print(f"{kind.replace('_', ' '):30} {part:6.1%}")


if __name__ == "__main__":
    main()
