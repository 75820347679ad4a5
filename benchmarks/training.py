"""Head training on cached views against training the same head with the backbone in the loop.

python -m benchmarks.training [--quick]

A DINOv3 ViT-S with random weights on painted streets: the same views, epochs, batches, order and head on both
sides. After every epoch with the backbone in the loop a whole job on cached vectors runs, so that both meet
the same machine; each side trains as it is fastest (the backbone on all cores, the head on one).
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import cv2
import numpy as np
import polars as pl
import pytorch_lightning as lightning
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks import results_file
from inference_runtime.preprocess import Preprocess
from pipeline import backbones, features, images, params
from pipeline.params import Backbone, Train
from pipeline.progress import Progress, say
from pipeline.train import batches, trainer
from pipeline.train.candidates import Setting
from pipeline.train.heads import Batch, Heads
from pipeline.train.lesson import Lesson
from pipeline.train.scale import Scale
from pipeline.train.views import Views
from pipeline.world import base
from pipeline.world.paint import paint

T = TypeVar("T")

ROOT = Path(__file__).parent.parent
SEED = 3_000_000
NEW = 0.05  # share of new images on the second night
SETTING = Setting("linear", decay=0.1, rate=0.001)


@dataclass(frozen=True)
class Size:
    images: int
    views: int
    epochs: int
    batch: int


FULL = Size(images=160, views=2, epochs=20, batch=64)
QUICK = Size(images=20, views=1, epochs=2, batch=8)


@dataclass
class Clock(Callback):  # type: ignore[misc]
    """Seconds of every epoch; `between` runs after each and is not counted."""

    between: Callable[[], None]
    seconds: list[float] = field(default_factory=list)
    began: float = 0.0

    def on_train_epoch_start(self, trainer: lightning.Trainer, heads: lightning.LightningModule) -> None:
        self.began = time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, heads: lightning.LightningModule) -> None:
        self.seconds.append(time.monotonic() - self.began)
        self.between()


class InTheLoop(Heads):
    """The same heads, with the frozen backbone before them at every step."""

    def __init__(self, backbone: Backbone, scale: Scale, dim: int, train: Train) -> None:
        super().__init__([SETTING], 1, dim, 0.0, train)
        self.backbone = backbones.load(backbone)
        self.mean, self.deviation = (torch.from_numpy(part).float() for part in (scale.mean, scale.deviation))

    def forward(self, pixels: Tensor) -> Tensor:
        with torch.no_grad():
            vectors = (self.backbone(pixels) - self.mean) / self.deviation
        return super().forward(vectors)


class Looked(torch.utils.data.Dataset[Batch]):
    """Pixels of views, made anew each time they are asked for, as training on pictures does."""

    def __init__(self, frame: pl.DataFrame, targets: Any, spec: Preprocess) -> None:
        self.views, self.spec = list(frame.select("image", "view").iter_rows()), spec
        self.targets = torch.from_numpy(targets).float()

    def __getitem__(self, rows: Any) -> Batch:
        wanted = [self.views[row] for row in rows]
        looks = np.stack([features.look(image, [view], self.spec)[0] for image, view in wanted])
        return torch.from_numpy(looks), self.targets[rows], torch.ones(len(wanted), 1)


def main(size: Size, full: bool) -> None:
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("IMAGES", "FEATURES", "CHECKPOINTS"):
            os.environ[name] = f"{folder}/{name}"
        rows = measured(size, checkpoint(Path(folder) / "vits"))
    said = figures(rows, size)
    show(said)
    if full:
        results_file.write("training", said, rows)
        plot(said, results_file.FOLDER / "training.png")
    print(json.dumps({name: said[name] for name in said if name.endswith(("speedup", "difference"))}))


def checkpoint(folder: Path) -> Backbone:
    from transformers import DINOv3ViTConfig, DINOv3ViTModel

    torch.manual_seed(72)
    config = DINOv3ViTConfig(
        hidden_size=384,
        intermediate_size=1536,
        num_hidden_layers=12,
        num_attention_heads=6,
        num_register_tokens=4,
        patch_size=16,
        image_size=224,
    )
    DINOv3ViTModel(config).save_pretrained(folder)
    return Backbone(name=str(folder), revision=None, width=224, height=224, batch=1)


def measured(size: Size, backbone: Backbone) -> list[dict[str, Any]]:
    """A row per epoch in the loop, with what the jobs beside it took."""
    table, train = streets(range(size.images)), numbers(size)
    embedding, views = timed(lambda: embedded(table, size.views, backbone))
    lesson, scale = taught(views)
    jobs: list[dict[str, float]] = []
    clock = Clock(lambda: jobs.append(cached(lesson, train)))
    loop = InTheLoop(backbone, scale, lesson.vectors.shape[1], train)
    say("training: with the backbone in the loop")
    fit(loop, *looked(lesson, views.frame, backbone, size), [clock])
    night = second_night(table, size, backbone)
    after = {"embedding_s": embedding, "night_s": night, "loop_mcc": float(loop.history[-1]["mcc"])}
    epochs = zip(clock.seconds, jobs, strict=True)
    return [{"epoch": n, "loop_s": s} | job | after for n, (s, job) in enumerate(epochs, 1)]


def numbers(size: Size) -> Train:
    changes = {"epochs": size.epochs, "patience": size.epochs, "batch": size.batch}
    return params.load(ROOT / "params.yaml").train.model_copy(update=changes)


def streets(wanted: range) -> pl.DataFrame:
    rows = []
    for index in Progress(wanted, "training: streets painted"):
        scene = base.nth(SEED, index, "traffic")
        image = images.put(base.jpeg(paint(scene)))
        rows.append({"image": image, "family": image, "label": scene.label, "weight": 1.0})
    return pl.DataFrame(rows).with_columns(profile=pl.lit("2026-01"))


def embedded(table: pl.DataFrame, views: int, backbone: Backbone) -> Views:
    vectors, index = features.embed(table, views, backbone)
    return Views(vectors, index.join(table, on="image", how="left", maintain_order="left"))


def is_dev(frame: pl.DataFrame) -> pl.Series:
    """Every fifth image is only judged on."""
    return frame["image"].is_in(frame["image"].unique(maintain_order=True).gather_every(5).to_list())


def taught(views: Views) -> tuple[Lesson, Scale]:
    scale, dev = Scale.of(views), is_dev(views.frame).to_numpy()
    vectors, labels = scale.apply(views.vectors), views.labels.astype(np.float64)
    rows = int((~dev).sum())
    lesson = Lesson(
        vectors=vectors[~dev],
        targets=labels[~dev],
        taught=np.ones((rows, 1)),
        joins=np.zeros(rows, np.int64),
        seen=vectors[dev],
        labels=labels[dev],
        judged=views.weights[dev][:, None],
        families=np.arange(len(labels) - rows),
        prior=0.0,
    )
    return lesson, scale


def looked(lesson: Lesson, frame: pl.DataFrame, backbone: Backbone, size: Size) -> tuple[Any, Any]:
    """The batches of the cached job, with pixels in place of vectors; those to be judged on are made once."""
    spec, dev = backbone.spec, is_dev(frame)
    rows: Any = Looked(frame.filter(~dev), lesson.targets, spec)
    judged, labels, _ = Looked(frame.filter(dev), lesson.labels, spec)[range(int(dev.sum()))]
    unseen: Any = [(judged, labels, torch.from_numpy(lesson.judged).float())]
    deal = batches.Deal(lesson.joins, size.batch, numbers(size).seed)
    return DataLoader(rows, sampler=deal, batch_size=None), DataLoader(unseen, batch_size=None)


def cached(lesson: Lesson, train: Train) -> dict[str, float]:
    """A whole job on vectors: all of its epochs, and what Lightning takes to begin and to end."""
    heads, clock = Heads([SETTING], 1, lesson.vectors.shape[1], 0.0, train), Clock(lambda: None)
    with features.one_thread():
        loaders = batches.dealt(lesson, train.batch, train.seed), batches.unseen(lesson)
        job, _ = timed(lambda: fit(heads, *loaders, [clock]))
    mcc = float(heads.history[-1]["mcc"])
    return {"job_s": job, "cached_epoch_s": float(np.median(clock.seconds)), "cached_mcc": mcc}


def second_night(table: pl.DataFrame, size: Size, backbone: Backbone) -> float:
    """Seconds from new pictures on disk to a new head: they meet the backbone, the others do not."""
    new = streets(range(size.images, size.images + max(1, round(NEW * size.images))))
    both, train = pl.concat([table, new]), numbers(size)
    return timed(lambda: cached(taught(embedded(both, size.views, backbone))[0], train))[0]


def fit(heads: Heads, learned: Any, unseen: Any, callbacks: list[Callback]) -> None:
    with trainer.quiet():
        lightning.Trainer(
            accelerator="cpu",
            max_epochs=heads.params.epochs,
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            callbacks=callbacks,
        ).fit(heads, learned, unseen)


def timed(do: Callable[[], T]) -> tuple[float, T]:
    began = time.monotonic()
    done = do()
    return time.monotonic() - began, done


def figures(rows: list[dict[str, Any]], size: Size) -> dict[str, float]:
    """Ratios are of what ran side by side; the job in the loop is the sum of its epochs."""
    table = pl.DataFrame(rows)
    loop, first = float(np.sum(table["loop_s"].to_numpy())), rows[0]
    job = float(np.median(table["job_s"]))
    return {
        "views": size.images * size.views,
        "epochs": size.epochs,
        "loop_epoch_s": float(np.median(table["loop_s"])),
        "cached_epoch_s": float(np.median(table["cached_epoch_s"])),
        "embedding_s": first["embedding_s"],
        "cached_job_s": job,
        "second_night_s": first["night_s"],
        "epoch_speedup": round(float(np.median(table["loop_s"] / table["cached_epoch_s"])), 1),
        "first_job_speedup": round(loop / (first["embedding_s"] + job), 1),
        "second_night_speedup": round((1 + NEW) * loop / first["night_s"], 1),
        "mcc_difference": round(abs(first["loop_mcc"] - first["cached_mcc"]), 6),
    }


def show(said: dict[str, float]) -> None:
    print(f"\nViT-S, {said['views']} views, {said['epochs']} epochs, validation after each")
    for name, value in said.items():
        print(f"  {name:<22} {value:>10,.4g}")
    print()


def plot(said: dict[str, float], file: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 2.6), layout="constrained")
    axes = figure.add_subplot(xlabel="times faster than with the backbone in the loop", xscale="log")
    names = ("epoch_speedup", "first_job_speedup", "second_night_speedup")
    bars = axes.barh(["an epoch", "a first job", "a night with 5 % new"], [said[name] for name in names])
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.set_xlim(1, 3 * said["epoch_speedup"])
    axes.invert_yaxis()
    FigureCanvasAgg(figure).print_png(file)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.training", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same on little, in under 50 seconds")
    quick = parser.parse_args().quick
    main(QUICK if quick else FULL, full=not quick)
