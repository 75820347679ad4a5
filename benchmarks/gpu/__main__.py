"""`python -m benchmarks.gpu [--quick] [--section NAME]`: the GPU engine against torch, on this GPU."""

import argparse
import json
import sys
from collections.abc import Callable
from typing import Any

Rows = list[dict[str, Any]]
Section = Callable[[bool], tuple[Rows, dict[str, Any]]]
SECTIONS = ("throughput", "precision", "end-to-end", "checks", "sharing")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a small network, few rounds; nothing is written"
    )
    parser.add_argument("--section", action="append", choices=SECTIONS, help="may be repeated (default: all)")
    given = parser.parse_args()
    if lacking := _lacking():
        print(f"benchmarks.gpu: {lacking}: nothing to measure here; run it on a machine with an NVIDIA GPU")
        return 0
    chosen = given.section or list(SECTIONS)
    rows, figures = [], _machine()
    for name in chosen:
        found, of_section = _section(name)(given.quick)
        rows += [{"section": name} | row for row in found]
        figures |= of_section
        _show(name, found)
    if not given.quick:
        from benchmarks import results_file

        results_file.write("gpu" if chosen == list(SECTIONS) else "gpu-" + "-".join(chosen), figures, rows)
    print(json.dumps(figures))
    return 0


def _lacking() -> str:
    from importlib.util import find_spec

    missing = [name for name in ("torch", "triton", "numpy") if find_spec(name) is None]
    if missing:
        return f"{' and '.join(missing)} not installed"
    import torch

    return "" if torch.cuda.is_available() else "no NVIDIA GPU"


def _section(name: str) -> Section:
    from benchmarks.gpu import checks, end_to_end, precision, sharing, throughput

    measures: list[Section] = [room.measured for room in (throughput, precision, end_to_end, checks, sharing)]
    return measures[SECTIONS.index(name)]


def _machine() -> dict[str, Any]:
    import torch
    import triton

    return {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "triton": triton.__version__}


def _show(name: str, rows: Rows) -> None:
    print(f"\n{name}")
    keys = list(dict.fromkeys(key for row in rows for key in row))
    lines = [keys, *([_cell(row.get(key)) for key in keys] for row in rows)]
    widths = [max(len(line[n]) for line in lines) for n in range(len(keys))]
    for line in lines:
        print("  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True)), flush=True)


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
