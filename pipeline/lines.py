"""Books of one JSON line per event: they grow at the end and are never changed."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def append(file: Path, entry: Mapping[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("ab") as opened:
        # One write at the end of the file, so that two writers do not mix; a line cut by a kill stays alone.
        opened.write(b"\n" + json.dumps(entry).encode() + b"\n")
        opened.flush()
        os.fsync(opened.fileno())


def read(file: Path) -> list[dict[str, Any]]:
    lines = file.read_bytes().splitlines() if file.exists() else []
    return [entry for line in lines if line and (entry := _entry(line))]


def _entry(line: bytes) -> dict[str, Any] | None:
    """A kill may have cut a line short."""
    try:
        return dict(json.loads(line))
    except ValueError:
        return None
