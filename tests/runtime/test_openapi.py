"""What the OpenAPI page promises holds for requests that nobody would think of."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference_runtime.bundle import Bundle

# With a deadline of a millisecond 504 is the right answer, and so no finding.
CONFIG = """
[parameters]
"header.X-Deadline-Ms" = "60000"
"""
# Not every string that the page allows is a picture.
NOT_CHECKED = "positive_data_acceptance"


def test_schemathesis_finds_nothing(
    make_bundle: Callable[..., Bundle], start: Callable[..., Any], tmp_path: Path
) -> None:
    server = start(make_bundle())
    (tmp_path / "schemathesis.toml").write_text(CONFIG)
    page = f"http://127.0.0.1:{server.port}/openapi.json"
    flags = ["--max-examples", "100", "--seed", "72", "--phases", "coverage,fuzzing", "--no-color"]
    flags += ["--exclude-checks", NOT_CHECKED, "--generation-database", "none", "--continue-on-failure"]
    program = Path(sys.executable).with_name("schemathesis")
    done = subprocess.run(
        [program, "--config-file", str(tmp_path / "schemathesis.toml"), "run", page, *flags],
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    assert "POST" not in done.stdout and "No issues found" in done.stdout, done.stdout
    assert "Traceback" not in server.stop()[1]
