"""Whether a training fits into this machine, asked before the machine answers by killing it."""

from pathlib import Path

import psutil

from inference_runtime.errors import Fixable

# Per number of a vector: itself, scaled, as a tensor, and what standardisation needs in double precision.
BYTES = 4 * 3 + 8 * 2
CGROUP = Path("/sys/fs/cgroup")


def refuse_lack(rows: int, dim: int, free: int | None = None) -> None:
    needed, free = rows * dim * BYTES, available() if free is None else free
    if needed > free:
        raise Fixable(
            f"train: {rows:,} vectors of {dim:,} numbers take about {_size(needed)} of memory and"
            f" {_size(free)} are free; lower params.yaml train.views, or free some"
        )


def available(cgroup: Path = CGROUP) -> int:
    """Bytes that may still be taken: of the machine, or of the container if that has less."""
    free = psutil.virtual_memory().available
    try:
        limit, used = ((cgroup / f"memory.{name}").read_text().strip() for name in ("max", "current"))
        stat = dict(line.split() for line in (cgroup / "memory.stat").read_text().splitlines())
    except OSError:
        return free
    # What only caches files is given back when it is asked for.
    return free if limit == "max" else min(free, int(limit) - int(used) + int(stat.get("inactive_file", 0)))


def _size(size: int) -> str:
    return f"{size / 2**30:.1f} GiB"
