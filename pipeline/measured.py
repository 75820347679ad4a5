"""What was measured of an engine on this machine: kept beside the bundle, for it is no part of the bundle.

A latency never comes out twice the same, and a bundle's id must: so it lies here under the hash of the
engine's file, is measured once, and is attached to bundle.json when the bundle is released.
"""

import json
import os
import platform
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from inference_runtime.bundle import Bundle
from pipeline import drafts

Figures = Mapping[str, Any]


def of(bundle: Bundle) -> dict[str, Figures] | None:
    """Of each engine that was measured here; None where none was."""
    found = {name: known(str(entry["sha256"])) for name, entry in bundle.engines.items() if "sha256" in entry}
    return {name: figures for name, figures in found.items() if figures} or None


def known(sha256: str) -> Figures | None:
    """What this machine measured before of the engine in a file; another machine's figures say nothing."""
    file = _file(sha256)
    figures: Figures | None = json.loads(file.read_text()) if file.exists() else None
    return figures if figures and figures["hardware"] == hardware() else None


def record(sha256: str, figures: Figures) -> Figures:
    told = {"hardware": hardware(), **figures}
    drafts.write(_file(sha256), (json.dumps(told, indent=2) + "\n").encode())
    return told


def hardware() -> dict[str, Any]:
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "onnxruntime": metadata.version("onnxruntime"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())


def _file(sha256: str) -> Path:
    return Path(os.environ.get("MEASURED", "var/measured")) / f"{sha256}.json"
