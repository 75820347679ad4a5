"""Which engines are offered: those that answer as trained, within a budget; int8 only where it pays."""

from collections.abc import Iterator
from typing import Any

import polars as pl

from inference_runtime.bundle import Bundle
from inference_runtime.errors import Fixable
from pipeline.classifier import Classifier
from pipeline.export import latency, parity
from pipeline.export.engines import Entry
from pipeline.measured import Figures
from pipeline.params import Budget, Export
from pipeline.progress import say

# It answers other questions than `pixels`.
ELSEWHERE = ("awq",)


def proved(
    bundle: Bundle, built: dict[str, Entry], model: Classifier, table: pl.DataFrame, params: Export
) -> dict[str, Entry]:
    """Entries with their parity. A variant that fails is left out, and said; `onnx` must not fail."""
    here = [name for name in built if name not in ELSEWHERE]
    asked = parity.asked(table, params.parity_views, bundle.preprocess)
    expected = parity.trained(model, asked.pixels)
    times = latency.told(bundle, here, params.latency_runs)
    kept = {name: entry for name, entry in built.items() if name in ELSEWHERE}
    for name in here:
        found = parity.compared(expected, parity.served(bundle, name, asked.pixels), asked.labels)
        against = "; ".join(_objections(name, built[name], found, times[name], params))
        if not against:
            kept[name] = built[name] | {"parity": found.json()}
        elif name == "onnx":
            raise Fixable(
                f"params.yaml: export.budgets.fp32: the exported engine is off: {against}; {REMEDY}"
            )
        else:
            say(f"export: {name} is not offered: {against}")
    return kept


REMEDY = "choose another export.opset, or allow more if the gate may judge it"


def _objections(
    name: str, entry: Entry, found: parity.Parity, times: Figures, params: Export
) -> Iterator[str]:
    budget: Budget = getattr(params.budgets, entry["precision"])
    yield from parity.overspent(found, budget)
    faster: Any = times["times_fp32"]
    if name == "onnx-int8" and faster < params.int8_speedup:
        yield f"{faster} times as fast as fp32 here, wanted is {params.int8_speedup:g}"
