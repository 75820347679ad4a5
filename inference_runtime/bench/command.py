"""The command: measures, and prints a table or JSON."""

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime.errors import Fixable

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from inference_runtime.bench.ceilings import Ceilings
    from inference_runtime.bench.rows import Row
    from inference_runtime.bundle import Bundle

HEAD = ("engine", "batch", "images/s", "p50 ms", "p99 ms", "TFLOP/s", "of ceiling", "GB/s", "of ceiling")


def add(commands: "_SubParsersAction[argparse.ArgumentParser]") -> None:
    bench = commands.add_parser("bench", help="how fast each engine of a bundle is on this machine")
    bench.add_argument("--bundle", type=Path, required=True, metavar="DIR")
    bench.add_argument("--engine", action="append", metavar="NAME", help="may be repeated (default: all)")
    bench.add_argument(
        "--batch", action="append", type=int, metavar="N", help="may be repeated (default: 1 8)"
    )
    bench.add_argument("--seconds", type=float, default=1.0, help="for each row (default: %(default)s)")
    bench.add_argument("--json", action="store_true", help="one JSON object instead of a table")


def run(given: argparse.Namespace) -> int:
    from inference_runtime.bundle import load

    bundle = load(given.bundle)
    batches = given.batch or [1, 8]
    if min(batches) < 1:
        raise Fixable(f"--batch: {min(batches)} is no number from 1")
    ceilings = _ceilings()
    rows = list(_rows(bundle, given.engine or _here(bundle), batches, given.seconds, ceilings))
    print(_json(bundle, ceilings, rows) if given.json else _table(ceilings, rows))
    return 0


def _here(bundle: "Bundle") -> list[str]:
    """What can run on this machine."""
    from inference_runtime.engines.placement import has_gpu

    portable = [name for name in bundle.engines if name.startswith("onnx")]
    if not has_gpu():
        return portable
    of_weights = ["torch-triton", "torch-compile", "torch"] if "torch" in bundle.engines else []
    return portable + of_weights + [name for name in bundle.engines if name == "tensorrt"]


def _ceilings() -> "Ceilings":
    from inference_runtime.bench import ceilings
    from inference_runtime.engines.placement import has_gpu

    return ceilings.of_gpu() if has_gpu() else ceilings.of_cpu()


def _rows(
    bundle: "Bundle", engines: list[str], batches: list[int], seconds: float, ceilings: "Ceilings"
) -> "Iterator[Row]":
    from inference_runtime.bench import rows
    from inference_runtime.engines import engine_for

    size, shape = (bundle.preprocess.height, bundle.preprocess.width), rows.shape_of(bundle)
    for name in engines:
        engine = engine_for(bundle, name)
        for batch in batches:
            yield rows.row(name, batch, rows.measured(engine, batch, seconds, size), shape, ceilings)


def _json(bundle: "Bundle", ceilings: "Ceilings", rows: "list[Row]") -> str:
    said = {"bundle": bundle.id, "ceilings": asdict(ceilings), "rows": [asdict(row) for row in rows]}
    return json.dumps(said)


def _table(ceilings: "Ceilings", rows: "list[Row]") -> str:
    lines = [HEAD, *map(_cells, rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(HEAD))]
    table = ["  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)) for line in lines]
    table.append(
        f"ceilings, measured: {ceilings.tflops:.2f} TFLOP/s, {ceilings.gbps:.0f} GB/s ({ceilings.machine})"
    )
    return "\n".join(table)


def _cells(row: "Row") -> tuple[str, ...]:
    rates = (row.tflops, row.share_of_tflops, row.gbps, row.share_of_gbps)
    shown = ("-" if rate is None else form.format(rate) for rate, form in zip(rates, FORMS, strict=True))
    return (
        row.engine,
        str(row.batch),
        f"{row.images_per_s:.1f}",
        f"{row.p50_ms:.2f}",
        f"{row.p99_ms:.2f}",
        *shown,
    )


FORMS = ("{:.2f}", "{:.0%}", "{:.1f}", "{:.0%}")
