"""Runs pieces of the pipeline in forked children of a process that has imported everything and used nothing.

So imports are no part of a child's time, a kill lands in the work, and no thread pool is forked half alive.
One JSON line in, {"folder", "do", "kill_after"}; one JSON line out, {"code", "seconds"}. `do` is Python.
"""

import json
import os
import signal
import sys
import time
import traceback

IMPORTED = (
    *("cv2", "matplotlib.pyplot", "onnx", "onnxruntime", "onnxscript", "polars", "pytorch_lightning"),
    *("scipy.stats", "torch", "transformers"),
)


def main() -> None:
    import importlib

    os.environ["MPLBACKEND"] = "Agg"
    from pipeline import simulation, stages

    for name in [*IMPORTED, *(f"pipeline.{stage}" for stage in stages.NAMES)]:
        importlib.import_module(name)
    assert simulation
    print(json.dumps({"ready": True}), flush=True)
    for line in sys.stdin:
        print(json.dumps(run(**json.loads(line))), flush=True)


def run(folder: str, do: str, kill_after: float | None) -> dict[str, float]:
    began = time.monotonic()
    child = os.fork()
    if child == 0:
        os._exit(attempt(folder, do))
    if kill_after is not None:
        time.sleep(kill_after)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return {"code": os.waitstatus_to_exitcode(status), "seconds": time.monotonic() - began}


def attempt(folder: str, do: str) -> int:
    os.dup2(2, 1)  # what a child prints is no answer
    os.chdir(folder)
    try:
        exec(do, {})
    except BaseException:  # noqa: BLE001  # the end of a process: reported, and told by its code
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    main()
