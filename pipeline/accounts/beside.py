"""What the night has cost so far, for the gate's report to show.

The report itself comes out the same whenever the gate writes it, and seconds never do: so they lie beside it,
in a script that the page loads where it is.
"""

import json
import os
from pathlib import Path

from pipeline import drafts
from pipeline.accounts import costs, runs, table
from pipeline.params import Prices
from pipeline.progress import say


def place() -> Path:
    return Path(os.environ.get("NIGHT_COST", "var/night_cost.js"))


def write(prices: Prices) -> None:
    """Never raises: a night does not fail for its bill."""
    line = json.dumps(table.brief(costs.latest(runs.all_of(runs.place())), prices))
    try:
        drafts.write(place(), f'document.getElementById("cost").textContent = {line};\n'.encode())
    except OSError as error:
        say(f"{place()}: not written ({error.strerror})")
