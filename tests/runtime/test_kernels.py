"""Runs `tests/runtime/kernels`, once interpreted and, where there is a GPU, once compiled on it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "kernels"
CUDA = "import sys, torch; sys.exit(not torch.cuda.is_available())"


def run_on(device: str, **environment: str) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:xdist", "-p", "no:randomly", str(FOLDER)]
    done = subprocess.run(
        command, env=os.environ | {"KERNELS_ON": device} | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout, done.stdout


@pytest.mark.slow
def test_every_kernel_and_the_engine_equal_their_twins_interpreted() -> None:
    run_on("cpu", TRITON_INTERPRET="1", CUDA_VISIBLE_DEVICES="")


@pytest.mark.gpu
def test_every_kernel_and_the_engine_equal_their_twins_on_the_gpu() -> None:
    if subprocess.run([sys.executable, "-c", CUDA]).returncode:
        pytest.skip(
            "no NVIDIA GPU here; on a machine that has one: pytest -m gpu tests/runtime/test_kernels.py"
        )
    run_on("cuda", TRITON_INTERPRET="0")
