"""What a command leaves for whoever started it, in the file that TOLD names: more than an exit status."""

import json
import os
from pathlib import Path


def leave(**words: object) -> None:
    if named := os.environ.get("TOLD"):
        Path(named).write_text(json.dumps(words))
