"""Is an exported engine still the function that was trained, what does it cost, and how fast is it here?"""

import argparse
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks import engines_plot, random_vit, results_file
from inference_runtime import bundle, preprocess
from inference_runtime.bundle import Bundle
from inference_runtime.engines import engine_for
from inference_runtime.preprocess import Pixels, Preprocess
from pipeline import backbones, features
from pipeline import params as settings
from pipeline.backbones.frozen import Frozen
from pipeline.classifier import Classifier, Head
from pipeline.diversity import farthest_first
from pipeline.export import graph, half, latency, parity, quantised
from pipeline.params import Backbone, Export
from pipeline.progress import Progress, say
from pipeline.world import validators

FILES = {"onnx": "model.onnx", "onnx-fp16": "model-fp16.onnx", "onnx-int8": "model-int8.onnx"}
PRECISIONS = {"onnx": "fp32", "onnx-fp16": "fp16", "onnx-int8": "int8"}
DECAY = 0.3
SEED = 72


@dataclass(frozen=True)
class Size:
    models: tuple[tuple[str, str, int], ...]  # title, backbone, side
    views: int
    lessons: int
    runs: int


LITE = ("efficientnet-lite0", "efficientnet-lite0", 224)
SMALL = ("DINOv3 ViT-S/16, random", "dinov3", 224)
LARGE = ("DINOv3 ViT-S/16, random, 448", "dinov3", 448)
OTHER = ("DINOv2 small, random", "dinov2", 224)
FULL = Size((LITE, SMALL, LARGE, OTHER), views=512, lessons=128, runs=30)
QUICK = Size((LITE, SMALL), views=12, lessons=16, runs=5)


@dataclass(frozen=True)
class Views:
    sent: list[bytes]
    labels: NDArray[np.int8]

    def pixels(self, spec: Preprocess) -> Pixels:
        return np.stack([preprocess.prepare(data, spec) for data in self.sent])


def main(size: Size, full: bool) -> None:
    params = settings.load().export
    lessons, asked = _views(size.lessons, start=0), _views(size.views, start=10_000)
    rows = [row for model in size.models for row in _rows(model, lessons, asked, size, params)]
    _show(rows)
    figures = _figures(rows)
    if full:
        results_file.write("engines", figures, rows)
        engines_plot.draw(rows, results_file.FOLDER / "engines.png")
    print(json.dumps(figures))


def _views(count: int, start: int) -> Views:
    """Challenges of the painted world as a validator sends them, replica views of pictures all different."""
    with ThreadPoolExecutor(2) as pool:
        drawn = pool.map(lambda number: validators.nth(SEED, number), range(start, start + count))
        made = list(Progress(drawn, "engines: views painted", count))
    return Views([one.data for one in made], np.array([one.label for one in made], np.int8))


def _rows(
    model: tuple[str, str, int], lessons: Views, asked: Views, size: Size, params: Export
) -> Iterator[dict[str, Any]]:
    title, name, side = model
    with TemporaryDirectory() as folder:
        source = name if name == LITE[1] else str(random_vit.saved(name, Path(folder) / "checkpoint"))
        frozen = backbones.load(Backbone(name=source, revision=None, width=side, height=side, batch=1))
        spec = Preprocess(side, side)
        classifier, calibration = _taught(frozen, lessons.pixels(spec), lessons.labels, params)
        sealed = _sealed(classifier, calibration, Path(folder) / "bundle", spec, params)
        say(f"engines: {title}: {len(asked.sent)} views asked of torch and {len(FILES)} engines")
        expected = parity.trained(classifier, asked.pixels(spec))
        seconds = latency.in_turns(
            {one: engine_for(sealed, one, threads=1) for one in FILES}, sealed, size.runs
        )
        for engine in FILES:
            found = parity.compared(expected, parity.served(sealed, engine, asked.pixels(spec)), asked.labels)
            yield _row(title, engine, found, seconds, sealed, params)


def _taught(
    frozen: Frozen, pixels: Pixels, labels: NDArray[np.int8], params: Export
) -> tuple[Classifier, Pixels]:
    """With a head that knows something, so that a flip is a flip; and the most different views, for int8."""
    with features.one_thread(), torch.inference_mode():
        vectors = np.concatenate([frozen(torch.from_numpy(one[None])).numpy() for one in pixels])
    picked = farthest_first(vectors, min(params.calibration_views, len(vectors)))
    return Classifier(frozen, _ridge(vectors, labels)), pixels[picked]


def _ridge(vectors: NDArray[np.float32], labels: NDArray[np.int8]) -> Head:
    centre, spread = vectors.mean(0), vectors.std(0) + 1e-4
    inputs = ((vectors - centre) / spread).astype(np.float64)
    kernel = inputs @ inputs.T + DECAY * inputs.shape[1] * np.eye(len(inputs))
    slope = inputs.T @ np.linalg.solve(kernel, 2.0 * labels - 1.0)
    scale = 2.0 / (inputs @ slope).std()  # logits as spread out as those of a calibrated head
    weight = (slope * scale / spread).astype(np.float32)
    return Head(weight, bias=float(-centre @ weight), temperature=1.0, offset=0.0)


def _sealed(model: Classifier, calibration: Pixels, folder: Path, spec: Preprocess, params: Export) -> Bundle:
    folder.mkdir()
    plain = folder / FILES["onnx"]
    graph.write(graph.exported(model, (spec.height, spec.width), params.opset), plain)
    half.write(plain, folder / FILES["onnx-fp16"])
    quantised.write(plain, folder / FILES["onnx-int8"], calibration)
    return bundle.seal(
        folder,
        classes=("clear", "roadwork"),
        preprocess=spec,
        engines={name: {"file": file, "precision": PRECISIONS[name]} for name, file in FILES.items()},
        calibration={"temperature": 1.0, "bias": 0.0},
        lineage={},
        holdout=None,
    )


def _row(
    title: str,
    engine: str,
    found: parity.Parity,
    seconds: dict[str, list[float]],
    sealed: Bundle,
    params: Export,
) -> dict[str, Any]:
    precision = PRECISIONS[engine]
    against = list(parity.overspent(found, getattr(params.budgets, precision)))
    times = float(np.median(np.array(seconds["onnx"]) / np.array(seconds[engine])))
    slow = engine == "onnx-int8" and times < params.int8_speedup
    return {
        "model": title,
        "engine": engine,
        "mib": round((sealed.folder / FILES[engine]).stat().st_size / 2**20, 1),
        "ms": round(float(np.median(seconds[engine])) * 1000, 2),
        "times_fp32": round(times, 2),
        **{key: float(f"{value:.2g}") for key, value in asdict(found).items()},
        "views": found.views,
        "offered": not against and not slow,
        "why not": "; ".join([*against, *(["too slow"] if slow else [])]),
    }


def _figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    of = {engine: [row for row in rows if row["engine"] == engine] for engine in FILES}
    return {
        "views": rows[0]["views"],
        "fp32_max_logit": max(row["logit"] for row in of["onnx"]),
        "fp32_flips": max(row["flips"] for row in of["onnx"]),
        "fp16_max_logit": max(row["logit"] for row in of["onnx-fp16"]),
        "fp16_clear_flips": max(row["clear_flips"] for row in of["onnx-fp16"]),
        "int8_max_flips": max(row["flips"] for row in of["onnx-int8"]),
        "int8_max_reward_lost": max(row["reward"] for row in of["onnx-int8"]),
        "int8_speedup": {row["model"]: row["times_fp32"] for row in of["onnx-int8"]},
        "offered": sum(row["offered"] for row in rows),
        "engines": len(rows),
    }


def _show(rows: list[dict[str, Any]]) -> None:
    shown = [key for key in rows[0] if key != "views"]
    table = Table(*shown)
    for row in rows:
        table.add_row(*(str(row[key]) for key in shown))
    Console(width=180, highlight=False).print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.engines", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the same on little, in under 50 seconds")
    quick = parser.parse_args().quick
    main(QUICK if quick else FULL, full=not quick)
