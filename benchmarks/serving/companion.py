"""A process of our own that is asked line by line."""

import json
import subprocess
import sys
from typing import Any

from benchmarks.serving.places import ROOT


class Companion:
    """`python -m benchmarks.serving.NAME`: a JSON object in, a JSON object out."""

    def __init__(self, name: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"benchmarks.serving.{name}", *arguments]
        self._process = subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def stop(self) -> None:
        self._process.communicate()
