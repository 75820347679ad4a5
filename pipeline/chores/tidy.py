"""`python -m pipeline tidy`: throws away what no night needs again, and names it first."""

import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import images, stages, told
from pipeline.params import Params
from pipeline.progress import say

DAY = 86400.0
LOGS = Path("var/airflow/logs")
DRAFT = re.compile(r"\..+\.(draft|\d+)")  # as pipeline.drafts names them
CHECKPOINTS = Path("var/checkpoints")


def run(params: Params, dry: bool) -> None:
    with stages.alone(Path("artifacts")):
        kinds = {
            "logs": list(_old(_files(LOGS), params.tidy.logs)),
            "leftovers": list(_old(_leftovers(), params.tidy.leftovers)),
            "pictures": list(_old(_at_home(params.pull.journal), params.tidy.pictures)),
        }
        freed = {kind: sum(file.stat().st_size for file in files) for kind, files in kinds.items()}
        for kind, files in kinds.items():
            say(f"tidy: {len(files):,} {kind}, {freed[kind] / 1e6:,.1f} MB{' would go' if dry else ' gone'}")
            if not dry:
                _drop(files)
        _forget_versions(dry)
    told.leave(**freed, dry=dry)


def _old(files: Iterable[Path], days: int) -> Iterator[Path]:
    limit = time.time() - days * DAY
    return (file for file in files if file.stat().st_mtime < limit)


def _files(folder: Path) -> Iterator[Path]:
    return (file for file in sorted(folder.rglob("*")) if file.is_file() and not file.is_symlink())


def _leftovers() -> Iterator[Path]:
    """What was being written when its writer was killed."""
    for folder in (Path("artifacts"), Path("var")):
        for draft in filter(lambda place: DRAFT.fullmatch(place.name), folder.rglob(".*")):
            yield from [draft] if draft.is_file() else _files(draft)
    yield from _files(CHECKPOINTS)


def _at_home(journal: str) -> Iterator[Path]:
    """Pictures of a journal in a folder that lie among the house's own: `pull` reads those."""
    found = _files(Path(journal) / "images") if "://" not in journal else iter(())
    return (file for file in found if images.path(file.stem).exists())


def _drop(files: list[Path]) -> None:
    for file in files:
        file.unlink(missing_ok=True)
    for folder in sorted({file.parent for file in files}, reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()


def _forget_versions(dry: bool) -> None:
    """What DVC keeps of earlier nights; the copies in backup.store keep theirs."""
    if not Path("dvc.lock").exists():
        return
    command = [sys.executable, "-m", "dvc", "gc", "--workspace", "--force", *(["--dry"] if dry else [])]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Fixable(f"dvc gc: {' '.join(done.stderr.split())[-300:]}; nothing more was thrown away")
    lines = [
        line for line in (done.stdout + done.stderr).splitlines() if line[:1].strip() and "WARN" not in line
    ]
    say(f"tidy: dvc gc: {lines[-1] if lines else 'nothing to forget'}")
