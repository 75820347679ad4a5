"""What ptxas makes of every kernel, for GPUs that this machine does not have."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ARCHITECTURES = {80, 86, 89, 90, 100}
# In kilobytes, what one program may have of an architecture's shared memory.
SHARED = {80: 163, 86: 99, 89: 99, 90: 227, 100: 227}
# A kernel of rows must leave room for many beside it; a product fills its processor.
REGISTERS = {"product": 255, "attention": 208}
OF_ROWS = 64
# Spilling costs a trip to memory. The largest tiles do, a little, on Blackwell: measuring decides there.
SPILLS = {("product 256x128x64 w8 s3 gelu", 100): 64}


@pytest.mark.slow
def test_every_kernel_compiles_for_every_generation_within_its_limits() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "tests/runtime/cubins.py"],
        cwd=ROOT,
        env=environment | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    made = [json.loads(line) for line in done.stdout.splitlines()]
    assert {one["sm"] for one in made} == ARCHITECTURES
    assert len({one["kernel"] for one in made}) > 20
    for one in made:
        family = one["kernel"].partition(" ")[0]
        assert one["cubin"] > 1000
        assert one["registers"] <= REGISTERS.get(family, OF_ROWS), one
        assert one["spilled"] <= SPILLS.get((one["kernel"], one["sm"]), 0), one
        assert one["shared"] <= SHARED[one["sm"]] * 1024, one
