"""Where a full run leaves its figures: machine, versions and rows beside the ratios."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "results"
VERSIONS = ("numpy", "onnxruntime", "torch", "polars", "triton")


def write(name: str, figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    said = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {package: _version(package) for package in VERSIONS},
        "figures": figures,
        "rows": rows,
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")


def _version(package: str) -> str | None:
    """None on a machine that runs only what needs it not."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"
