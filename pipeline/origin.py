"""Which run, code and numbers something was made with, as far as the place it is made in can tell.

It is told of a release and of a run, never of what a stage makes: equal inputs must give equal bytes.
"""

import hashlib
import os
import subprocess
from pathlib import Path

RUN = "AIRFLOW_CTX_DAG_RUN_ID"  # set by Airflow, where a night runs in it


def told() -> dict[str, str | None]:
    return {"run": os.environ.get(RUN), "commit": commit(), "params": params()}


def commit() -> str | None:
    """None outside of git, and where there is no git."""
    try:
        asked = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return asked.stdout.strip() if asked.returncode == 0 else None


def params() -> str | None:
    file = Path("params.yaml")
    return hashlib.sha256(file.read_bytes()).hexdigest() if file.is_file() else None
