"""The exported engine, through the real runtime, against float32 torch on the same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import polars as pl

from inference_runtime import bundle, preprocess
from inference_runtime.engines.onnx import REFUSED
from inference_runtime.errors import BundleError
from inference_runtime.predictor import sigmoid
from inference_runtime.preprocess import Preprocess
from pipeline import classifier
from pipeline.classifier import Classifier
from pipeline.gate import contest, diagnosis
from pipeline.gate.scores import Scores
from pipeline.params import Backbone, Gate

CLEAR = 0.02  # a flip nearer to the fence than this is rounding
MAX_FLIPS = 0.001  # share of answers that may differ near the fence
ENGINE = "onnx"
# Half precision keeps ten bits of a number.
ROUNDING = {"fp16": 0.05}


@dataclass(frozen=True)
class Parity:
    engine: str
    precision: str
    views: int
    max_logit: float | None  # null where an answer is no number
    flips: int
    clear_flips: int
    faults: tuple[str, ...]  # none: the engine is the function that was trained


def measured(table: pl.DataFrame, export: Path, backbone: Backbone, params: Gate) -> Parity:
    precision = _precision(export)
    sent = [view.sent() for view in _repeated(table, params.parity_views)]
    try:
        served = contest.logits(export, sent, "views for parity")
    except (BundleError, *REFUSED) as error:
        refusal = f"the runtime cannot use it: {' '.join(str(error).split())[:200]}"
        return Parity(ENGINE, precision, 0, None, 0, 0, (diagnosis.of_refusal(export, backbone), refusal))
    twin = classifier.from_folder(export, backbone)
    expected = expected_of(twin, sent, backbone)
    allowed = ROUNDING.get(precision, params.parity_logit)
    found = compared(served, expected, precision, allowed)
    if not found.faults:
        return found
    cause = diagnosis.named(export, served, expected, sent, twin, backbone)
    return Parity(**vars(found) | {"faults": (cause, *found.faults)})


def compared(served: Scores, expected: Scores, precision: str, allowed: float) -> Parity:
    number = np.isfinite(served)
    p, q = sigmoid(np.nan_to_num(served)), sigmoid(expected)
    flips = (p > 0.5) != (q > 0.5)
    apart = float(np.abs(served - expected).max()) if number.all() else None
    clear = int((flips & (np.abs(q - 0.5) > CLEAR)).sum())
    faults = []
    if apart is None:
        faults.append(f"{int((~number).sum())} of {len(served)} answers are no finite numbers")
    elif apart > allowed:
        faults.append(f"a logit is off by {apart:.2g}, allowed is {allowed:g}")
    if clear or flips.sum() > MAX_FLIPS * len(served):
        faults.append(f"{int(flips.sum())} of {len(served)} answers flip, {clear} far from the fence")
    return Parity(ENGINE, precision, len(served), apart, int(flips.sum()), clear, tuple(faults))


def expected_of(twin: Classifier, sent: Sequence[bytes], backbone: Backbone) -> Scores:
    """What training's function says, at training's size, whatever the bundle claims."""
    spec = backbone.spec
    what = "gate: views for parity answered by torch"
    return np.array(contest.each(partial(_twin_logit, twin, spec), sent, what))


def _twin_logit(twin: Classifier, spec: Preprocess, data: bytes) -> float:
    import torch

    torch.set_num_threads(1)  # holds for the thread that says it
    with torch.inference_mode():
        return float(twin(torch.from_numpy(preprocess.prepare(data, spec)[None]))[0])


def _repeated(table: pl.DataFrame, wanted: int) -> list[contest.View]:
    """The table gone round, each time with other views, until there are enough."""
    rounds = range(-(-wanted // table.height))
    return [view for turn in rounds for view in contest.views(table, turn=turn)][:wanted]


def _precision(export: Path) -> str:
    return str(bundle.load(export).engines[ENGINE].get("precision", "fp32"))
