"""What a bundle costs a serving machine in time, memory and disk, measured in a process that does no more."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from inference_runtime.errors import Fixable
from pipeline.params import Gate
from pipeline.progress import say

# The runtime alone: neither torch nor the stages count as its memory.
PROBE = """
import json, resource, sys, time
from pathlib import Path
import numpy as np
from inference_runtime import bundle
from inference_runtime.predictor import Predictor
loaded = bundle.load(Path(sys.argv[1]))
predictor = Predictor(loaded, threads=1)
spec = loaded.preprocess
pixels = np.random.default_rng(0).integers(0, 255, (1, spec.height, spec.width, 3), dtype=np.uint8)
took = []
for _ in range(24):
    start = time.perf_counter()
    predictor.probabilities(pixels)
    took.append(1000 * (time.perf_counter() - start))
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"latency_ms": float(np.median(took)), "memory_mb": memory}))
"""


def weighed(export: Path) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", PROBE, str(export)], capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        raise Fixable(f"{export}: the runtime cannot serve it ({last[:200]}); export it again")
    files = sum(file.stat().st_size for file in export.rglob("*") if file.is_file())
    return dict(json.loads(done.stdout)) | {"size_mb": files / 1e6}


def kept(export: Path, params: Gate) -> dict[str, dict[str, Any]]:
    """Each budget and whether it is kept.

    Times differ from run to run and equal nights must leave equal files: only the log tells the times.
    """
    measured = weighed(export)
    say("gate: one answer " + ", ".join(f"{name} {value:.0f}" for name, value in measured.items()))
    return {
        name: {"budget": budget, "kept": measured[name] <= budget}
        for name, budget in (
            ("latency_ms", params.latency_ms),
            ("memory_mb", params.memory_mb),
            ("size_mb", params.size_mb),
        )
    }
