"""Runs pieces of the pipeline in forked children of a process that has imported everything and used nothing.

So imports are no part of a child's time, a kill lands in the work, and no thread pool is forked half alive.
As a program, which a test starts through `Forks`, it imports what its arguments name; then one JSON line in,
{"folder", "do", "kill_after"}, and one out, {"code", "seconds"}. `do` is Python.
"""

import importlib
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from pathlib import Path
from typing import Any

ROOMS = ("IMAGES", "FEATURES", "PAINTINGS", "PULLED")  # each house has its own


class Forks:
    """The test's end: runs pieces one after the other, and kills them when it is told to."""

    def __init__(self, *imported: str, **given: str) -> None:
        """`given` is set in the environment."""
        environment = {name: value for name, value in os.environ.items() if name not in ROOMS}
        self.process = subprocess.Popen(
            [sys.executable, __file__, *imported],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "UNTIL": "2100-01-01T00:00:00Z", **given},
            text=True,
        )
        assert self.heard() == {"ready": True}

    def run(self, folder: Path, do: str, kill_after: float | None = None) -> float:
        """How long it took, which for a killed one is until the kill."""
        self.ask(folder, do, kill_after)
        heard = self.heard()
        code = heard["code"]
        assert code == 0 or (kill_after is not None and code == -9), f"{do} ended with {code}"
        return float(heard["seconds"])

    def stop(self) -> None:
        self.process.communicate(timeout=20)

    def ask(self, folder: Path, do: str, kill_after: float | None = None) -> None:
        """What becomes of it is `heard`, and anything may happen meanwhile."""
        assert self.process.stdin
        asked = {"folder": str(folder), "do": do, "kill_after": kill_after}
        print(json.dumps(asked), file=self.process.stdin, flush=True)

    def heard(self) -> dict[str, Any]:
        assert self.process.stdout
        return dict(json.loads(self.process.stdout.readline()))


def main() -> None:
    os.environ["MPLBACKEND"] = "Agg"
    for name in sys.argv[1:]:
        importlib.import_module(name)
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
