"""One GPU for serving and for training beside it: the p99 of answers, with and without a partition."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# What the trainer may use of the processors when the GPU is divided.
SHARE = 50
CONTROL = "nvidia-cuda-mps-control"
Environment = Mapping[str, str]


def measured(quick: bool) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    rows = [_served("alone", None, {}, quick), _served("training beside, in time slices", {}, {}, quick)]
    if shutil.which(CONTROL) is None:
        rows.append({"sharing": f"MPS: no {CONTROL} here"})
    else:
        with _mps() as daemon:
            # 1 is below normal: the driver runs the server's work first.
            low = daemon | {"CUDA_MPS_CLIENT_PRIORITY": "1"}
            divided = low | {"CUDA_MPS_ACTIVE_THREAD_PERCENTAGE": str(SHARE)}
            rows.append(_served("training beside, MPS", low, daemon, quick))
            rows.append(_served(f"training beside, MPS, {SHARE} % of the processors", divided, daemon, quick))
    return rows, {f"p99 ms, {row['sharing']}": row["p99_ms"] for row in rows if "p99_ms" in row}


def _served(name: str, trains: Environment | None, serves: Environment, quick: bool) -> dict[str, Any]:
    trainer = None if trains is None else _start("training", trains, quick)
    try:
        answers: dict[str, Any] = json.loads(_start("answering", serves, quick).communicate(timeout=300)[0])
    finally:
        steps = _stopped(trainer) if trainer else None
    return {"sharing": name} | answers | {"training_steps_per_s": steps}


def _start(module: str, environment: Environment, quick: bool) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", f"benchmarks.gpu.{module}", *(["--quick"] if quick else [])]
    environment = {**os.environ, **environment}
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    if module == "training":
        assert process.stdout is not None
        process.stdout.readline()  # it says when it has warmed up
    return process


def _stopped(trainer: "subprocess.Popen[str]") -> float:
    """It trains until its input ends, and then says how fast."""
    return float(trainer.communicate(timeout=60)[0])


@contextmanager
def _mps() -> Iterator[dict[str, str]]:
    with tempfile.TemporaryDirectory() as folder:
        places = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        for place in places.values():
            Path(place).mkdir()
        subprocess.run([CONTROL, "-d"], env=os.environ | places, check=True)
        try:
            yield places
        finally:
            subprocess.run([CONTROL], env=os.environ | places, input="quit\n", text=True, check=True)
