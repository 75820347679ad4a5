"""What the documents say exists: commands, files, links."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def words(pattern: str) -> list[tuple[Path, str]]:
    return [(file, found) for file in DOCUMENTS for found in re.findall(pattern, file.read_text())]


@pytest.mark.parametrize("target", sorted({t for _, t in words(r"(?m)(?:^|`)make ([a-z-]+)")}))
def test_every_make_target_exists(target: str) -> None:
    made = f"(?:{target}|env-%)" if target.startswith("env-") else target
    assert re.search(rf"^{made}:", (ROOT / "Makefile").read_text(), re.MULTILINE), target


@pytest.mark.parametrize(("file", "link"), words(r"\]\(([^)#]+)\)"))
def test_no_link_is_dead(file: Path, link: str) -> None:
    assert link.startswith("https://") or (file.parent / link).exists(), f"{file.name}: {link}"


@pytest.mark.parametrize("command", sorted({c for _, c in words(r"python -m (pipeline [a-z]+)")}))
def test_every_command_has_help(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("module", sorted({m for _, m in words(r"python -m (benchmarks\.[a-z_]+)")}))
def test_every_benchmark_exists(module: str) -> None:
    place = ROOT / Path(*module.split("."))
    assert place.with_suffix(".py").exists() or (place / "__main__.py").exists()


@pytest.mark.parametrize("key", sorted({k for _, k in words(r"`([a-z]+\.[a-z_]+)`")}))
def test_every_named_param_exists(key: str) -> None:
    section, _, name = key.partition(".")
    values = yaml.safe_load((ROOT / "params.yaml").read_text())
    if section in values and name not in ("py", "md", "yaml", "json", "html"):
        assert name in values[section], key
