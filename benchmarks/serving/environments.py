"""A throw-away environment for each server: the runtime's dependencies and a peer's pinned requirements."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.serving.places import PEERS, ROOT

# Copied, not linked: pages shared between the environments would be shared between the servers' memory too.
INSTALL = ("pip", "install", "--quiet", "--link-mode", "copy")


def interpreter(peer: str) -> Path:
    """Its Python. "runtime" has nothing but what a lean installation of this package brings."""
    home = ROOT / ".envs" / f"peers-{peer}"
    python, ready = home / "bin" / "python", home / ".ready"
    wanted = _runtime_requirements() + "".join(file.read_text() for file in _requirements(peer))
    seal = hashlib.sha256(wanted.encode()).hexdigest()
    if not ready.exists() or ready.read_text() != seal:
        print(f"installing {peer} into .envs/{home.name}", file=sys.stderr)
        _make(home, python, peer)
        ready.write_text(seal)
    return python


def _make(home: Path, python: Path, peer: str) -> None:
    shutil.rmtree(home, ignore_errors=True)
    _uv("venv", "--quiet", "--python", sys.executable, str(home))
    ours = home / "runtime.txt"
    ours.write_text(_runtime_requirements())
    theirs = [text for file in _requirements(peer) for text in ("-r", str(file))]
    _uv(*INSTALL, "--python", str(python), "-r", str(ours), *theirs, "--override", str(ours))


def _requirements(peer: str) -> list[Path]:
    return [PEERS / f"{peer}.txt"] if peer != "runtime" else []


def _runtime_requirements() -> str:
    return _uv("export", "--frozen", "--no-dev", "--no-emit-project", "--no-hashes", "--no-header", "--quiet")


def _uv(*arguments: str) -> str:
    command = [sys.executable, "-m", "uv", *arguments]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout
