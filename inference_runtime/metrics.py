"""Counts and times in the text form that Prometheus reads."""

import threading
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
JOBS = (1, 2, 3, 4, 8, 16)

HELP = {
    "requests_total": ("counter", "answers given, by route and status"),
    "images_total": ("counter", "images answered, by role"),
    "errors_total": ("counter", "what went wrong, by kind"),
    "cache_total": ("counter", "questions to the answer cache, by outcome"),
    "shared_cache_total": ("counter", "questions to the replicas' shared cache, by outcome"),
    "cascade_total": ("counter", "doubtful first answers, by what became of them"),
    "stage_seconds": ("histogram", "time spent, by stage"),
    "batch_size": ("histogram", "requests that a worker took at once"),
}


class Histogram:
    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._bounds, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> Iterator[str]:
        total = 0
        for bound, count in zip((*self._bounds, "+Inf"), self._counts, strict=True):
            total += count
            yield f'{name}_bucket{{{labels}{"," if labels else ""}le="{bound}"}} {total}'
        braces = f"{{{labels}}}" if labels else ""
        yield f"{name}_sum{braces} {self._sum:.6f}"
        yield f"{name}_count{braces} {total}"


class Metrics:
    """From any thread. `gauges` are asked for when somebody looks."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._histograms: dict[tuple[str, str], Histogram] = {}

    def count(self, name: str, **labels: str) -> None:
        told = ",".join(f'{label}="{value}"' for label, value in labels.items())
        with self._lock:
            self._counts[name, told] += 1

    def time(self, stage: str, seconds: float) -> None:
        self._add("stage_seconds", f'stage="{stage}"', seconds, SECONDS)

    def batch(self, jobs: int) -> None:
        self._add("batch_size", "", jobs, JOBS)

    def text(self, gauges: Mapping[str, tuple[str, float]]) -> str:
        """`gauges` by name with labels: what it is, and its value."""
        return "\n".join(line for name in (*HELP, *gauges) for line in self._lines(name, gauges))

    def _add(self, name: str, labels: str, value: float, bounds: Sequence[float]) -> None:
        with self._lock:
            histogram = self._histograms.get((name, labels))
            if histogram is None:
                histogram = self._histograms[name, labels] = Histogram(bounds)
            histogram.add(value)

    def _lines(self, name: str, gauges: Mapping[str, tuple[str, float]]) -> Iterator[str]:
        if name in gauges:
            what, value = gauges[name]
            bare = name.partition("{")[0]
            yield from (f"# HELP runtime_{bare} {what}", f"# TYPE runtime_{bare} gauge")
            yield f"runtime_{name} {value:.10g}"
            return
        kind, what = HELP[name]
        yield from (f"# HELP runtime_{name} {what}", f"# TYPE runtime_{name} {kind}")
        with self._lock:
            for (counted, labels), count in sorted(self._counts.items()):
                if counted == name:
                    yield f"runtime_{name}{{{labels}}} {count}" if labels else f"runtime_{name} {count}"
            for (timed, labels), histogram in sorted(self._histograms.items()):
                if timed == name:
                    yield from histogram.lines(f"runtime_{name}", labels)
