"""`python -m benchmarks.gpu.answering`: asks the GPU engine at random moments; prints its times as JSON."""

import json
import random
import sys
import threading
import time

import numpy as np
import torch

from inference_runtime.engines.torch_triton import lanes_for
from inference_runtime.vit import weights
from inference_runtime.vit.shape import known

# Of a second, how much the GPU would be busy if it were alone.
LOAD = 0.4


def main() -> None:
    quick = "--quick" in sys.argv
    vit = weights.random(known("vits16" if quick else "vitl16"))
    lanes = lanes_for(vit, "fp16", torch.device("cuda", 0), (1,))
    picture = np.random.default_rng(0).integers(0, 256, (1, *vit.shape.pixels, 3), dtype=np.uint8)
    # The same questions in each of the compared runs: the pace is fixed, whatever the neighbour does.
    pause, count, taken = 0.002 / LOAD, 400 if quick else 4000, list[float]()

    def ask() -> None:
        begin = time.perf_counter()
        lanes.logits(picture)
        taken.append(1000 * (time.perf_counter() - begin))

    for _ in range(50):
        ask()
    taken.clear()
    asking: list[threading.Thread] = []
    paces = random.Random(0)
    for _ in range(count):
        time.sleep(paces.expovariate(1 / pause))
        asking.append(threading.Thread(target=ask))
        asking[-1].start()
    for one in asking:
        one.join()
    p50, p99 = np.quantile(taken, (0.5, 0.99))
    print(json.dumps({"answers": len(taken), "p50_ms": float(p50), "p99_ms": float(p99)}))


if __name__ == "__main__":
    main()
