"""Says before the work, not by a kill in the midst of it, that a machine is too small."""

import psutil
from torch import nn

from inference_runtime.errors import Fixable

GIB = 2**30
# The network, the exporter's copy, the graph, its bytes, and the session that proves them.
COPIES = 6
BASE = GIB


def refuse_shortage(model: nn.Module, free: int | None = None) -> None:
    """`free` bytes of memory are left to this process; None asks the machine."""
    free = psutil.virtual_memory().available if free is None else free
    weights = sum(weight.numel() * weight.element_size() for weight in model.parameters())
    needed = COPIES * weights + BASE
    if free < needed:
        raise Fixable(
            f"export: needs about {needed / GIB:.1f} GiB of memory, but {free / GIB:.1f} are free;"
            " stop what else runs, or name a smaller backbone in params.yaml backbone.name"
        )
