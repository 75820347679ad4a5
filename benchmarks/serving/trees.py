"""What a process and all its descendants use."""

import os
from collections.abc import Iterable
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PROC = Path("/proc")


def family(root: int) -> list[int]:
    """The process and everything it started, as far as it lives."""
    found = [root]
    for pid in found:
        found += _children(pid)
    return found


def cpu_seconds(pids: Iterable[int]) -> float:
    """User and system time of these processes and of the children they have waited for."""
    return sum(_ticks(pid) for pid in pids) / TICKS


def proportional_mib(pids: Iterable[int]) -> float:
    """PSS: a page that n processes share counts for 1/n in each."""
    return sum(_pss(pid) for pid in pids) / 1024


def _children(pid: int) -> list[int]:
    found: list[int] = []
    try:
        for task in (PROC / str(pid) / "task").iterdir():
            found += map(int, (task / "children").read_text().split())
    except OSError:
        pass  # it ended while we looked
    return found


def _ticks(pid: int) -> int:
    try:
        fields = (PROC / str(pid) / "stat").read_bytes().rpartition(b") ")[2].split()
    except OSError:
        return 0
    return sum(map(int, fields[11:15]))


def _pss(pid: int) -> int:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)
