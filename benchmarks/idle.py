"""From a stopped machine to the UI: how long `make up` takes, and what an idle house holds.

python -m benchmarks.idle [--quick]

A house of its own in a temporary folder: a small painted world, a first champion, then everything is stopped.
What is timed is the second start, from no process to all services ready. A minute later memory is added up,
as PSS: what processes share is counted once. `--quick` has no world, so no champion and no runtime.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TypedDict

import yaml

from benchmarks import results_file

ROOT = Path(__file__).parent.parent
SHARED = ("dags", "plugins", "pipeline", "inference_runtime", "dvc.yaml", ".mongod")


class Row(TypedDict):
    service: str
    mb: float


LIMITS = {"ready_seconds": 60, "memory_mb": 2000}
# Enough for a first champion; how large the world is changes nothing of what is measured.
SMALL = {"base": 80, "gold": 60, "challenges": 0}


def main(quick: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="idle-") as folder:
        home = _house(Path(folder), quick)
        try:
            if not quick:
                _up(home)
                _pipeline(home, "down")
            rows, seconds = _measured(home, rest=2 if quick else 60)
        finally:
            _pipeline(home, "down")
    figures = {"ready_seconds": round(seconds, 1), "memory_mb": round(sum(row["mb"] for row in rows))}
    _print(rows, figures)
    if not quick:
        results_file.write("idle", figures, [dict(row) for row in rows])
    print(json.dumps(figures))


def _measured(home: Path, rest: float) -> tuple[list[Row], float]:
    began = time.monotonic()
    _up(home)
    seconds = time.monotonic() - began
    time.sleep(rest)
    return _held(home), seconds


def _up(home: Path) -> None:
    """On a machine that others keep busy a part may need longer than `up` waits; asked again, it goes on."""
    for _ in range(3):
        if _pipeline(home, "up") == 0:
            return
    raise SystemExit("python -m pipeline up: not ready in six minutes")


def _held(home: Path) -> list[Row]:
    code = "import json; from pipeline.services import memory; print(json.dumps(memory.held()))"
    said = subprocess.check_output([sys.executable, "-c", code], cwd=home, env=_environment(home))
    return [{"service": name, "mb": size / 1e6} for name, size in json.loads(said).items()]


def _house(home: Path, quick: bool) -> Path:
    for name in SHARED:
        (home / name).symlink_to(ROOT / name)
    numbers = yaml.safe_load((ROOT / "params.yaml").read_text())
    numbers["world"] |= SMALL
    if quick:
        numbers["pull"]["base"] = "elsewhere"  # somebody's own pictures: nothing is painted for them
    (home / "params.yaml").write_text(yaml.safe_dump(numbers))
    shutil.copytree(ROOT / ".dvc", home / ".dvc", ignore=shutil.ignore_patterns("tmp", "cache"))
    subprocess.run(["git", "init", "--quiet", str(home)], check=True)
    return home


def _pipeline(home: Path, word: str) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", word],
        cwd=home,
        env=_environment(home),
        stdout=subprocess.DEVNULL,
    )
    return done.returncode


def _environment(home: Path) -> dict[str, str]:
    ours = ("AIRFLOW", "RETRAIN", "RUNTIME", "FIFTYONE", "PIPELINE_PYTHON", "UNTIL")
    return {k: v for k, v in os.environ.items() if not k.startswith(ours)} | {"PYTHONPATH": str(home)}


def _print(rows: list[Row], figures: dict[str, float]) -> None:
    for row in rows:
        print(f"{row['service']:<24} {row['mb']:>7.0f} MB")
    for name, limit in LIMITS.items():
        print(f"{name.replace('_', ' '):<24} {figures[name]:>7.0f}, wanted under {limit}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a first start, without a champion")
    main(parser.parse_args().quick)
