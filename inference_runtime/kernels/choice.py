"""Of several ways to compute the same, the fastest: measured once per shape and GPU, and kept in a file."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
import triton
from triton.runtime.errors import OutOfResources

Way = Callable[[], object]
Ways = Mapping[str, Way]
Measure = Callable[[Way], float]

# So that a launch's own microseconds, which a CUDA graph saves, are not what is compared.
CALLS = 20


class Choice:
    def __init__(self, file: Path | None, measure: Measure | None) -> None:
        """Without a measure the first way is taken; without a file nothing outlives the process."""
        self._file, self._measure = file, measure
        self.taken: dict[str, str] = _read(file)

    def __call__(self, key: str, ways: Ways) -> None:
        """Runs the best way, and all of them before that where the key is new."""
        if self.taken.get(key) not in ways:
            self.taken[key] = self._best(ways)
            self._keep()
        ways[self.taken[key]]()

    def _best(self, ways: Ways) -> str:
        if self._measure is None:
            return next(iter(ways))
        return min(ways, key=lambda name: self._measured(ways[name]))

    def _measured(self, way: Way) -> float:
        assert self._measure is not None
        try:
            return self._measure(way)
        except (OutOfResources, NotImplementedError, RuntimeError, ValueError):
            # A smaller GPU lacks the memory for large tiles, an older one the type.
            return float("inf")

    def _keep(self) -> None:
        if self._file is None or self._measure is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(f".{os.getpid()}")
        draft.write_text(json.dumps(self.taken, indent=1, sort_keys=True) + "\n")
        draft.replace(self._file)


def on_gpu(device: torch.device) -> Choice:
    return Choice(_file(device), in_graph)


def in_graph(way: Way) -> float:
    """Milliseconds of one call among many in a CUDA graph; leaves in the buffers what it likes."""
    way()
    torch.cuda.synchronize()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(CALLS):
            way()
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    graph.replay()
    begin.record()
    graph.replay()
    graph.replay()
    end.record()
    end.synchronize()
    return float(begin.elapsed_time(end)) / (2 * CALLS)


def _file(device: torch.device) -> Path:
    gpu = torch.cuda.get_device_name(device).replace(" ", "-").replace("/", "-")
    major, minor = torch.cuda.get_device_capability(device)
    name = f"{gpu}-sm{major}{minor}-torch{torch.__version__}-triton{triton.__version__}.json"
    caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(caches) / "retrain-72" / "fastest" / name


def _read(file: Path | None) -> dict[str, str]:
    try:
        return dict(json.loads(file.read_text())) if file is not None else {}
    except (OSError, ValueError):
        # Lost or cut short: measuring again costs seconds.
        return {}
