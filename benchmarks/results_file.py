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
VERSIONS = ("numpy", "onnxruntime", "torch", "polars")


def write(name: str, figures: dict[str, Any], rows: list[dict[str, Any]]) -> None:
    said = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": platform.machine(),
            "python": platform.python_version(),
        },
        "versions": {package: metadata.version(package) for package in VERSIONS},
        "figures": figures,
        "rows": rows,
    }
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps(said, indent=1) + "\n")


def _commit() -> str:
    done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    return done.stdout.strip() or "unknown"
