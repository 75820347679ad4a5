"""`python -m pipeline restore`: a house out of its copy, as it stood when the copy was taken."""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from inference_runtime.errors import Fixable
from pipeline import stages
from pipeline.chores.copies import database, vault
from pipeline.chores.copies.keep import DATABASE
from pipeline.chores.copies.manifest import BLOCK, MANIFESTS, File, Manifest, name, place, stamp, unpacked
from pipeline.chores.copies.vault import Vault
from pipeline.progress import Progress, say

# Bytes that stand in the checkout already, and may differ.
FROM_GIT = ("params.yaml", ".dvc/config")


def run(store: str, at: str | None, over: bool) -> None:
    shelf = vault.at(store)
    manifest = _found(shelf, store, at)
    ours = [file for file in manifest.files if not file.path.startswith(DATABASE)]
    dumped = [file for file in manifest.files if file.path.startswith(DATABASE)]
    with stages.alone(Path("artifacts")):
        missing = [file for file in ours if not _is_same(file, Path(file.path))]
        if not over:
            _refuse_other(missing)
        if dumped:
            database.refuse_full()
        for file in Progress(missing, "restore"):
            _bring(shelf, file, Path(file.path))
        documents = _database(shelf, dumped)
        _checkout()
    say(f"restore: {manifest.at}: {len(ours):,} files and {documents:,} documents are back")


def listed(store: str) -> list[str]:
    return [stamp(one) for one in vault.at(store).names(MANIFESTS)]


def _found(shelf: Vault, store: str, at: str | None) -> Manifest:
    names = shelf.names(MANIFESTS)
    if not names:
        raise Fixable(f"--store: {store}: holds no copy of a house; name the folder or bucket that does")
    wanted = name(at) if at else names[-1]
    if wanted not in names:
        raise Fixable(f"--at: {at}: no such copy in {store}; `restore --list` names them")
    return unpacked(shelf.get(wanted))


def _refuse_other(files: list[File]) -> None:
    for file in files:
        if file.path not in FROM_GIT and Path(file.path).exists():
            line = f"{file.path}: there already, and not as it was; move it away, or say --over to lose it"
            raise Fixable(line)


def _is_same(file: File, there: Path) -> bool:
    if not there.is_file() or there.stat().st_size != file.size:
        return False
    with there.open("rb") as opened:
        found = [hashlib.sha256(data).hexdigest() for data in iter(lambda: opened.read(BLOCK), b"")]
    return tuple(found) == file.blocks


def _bring(shelf: Vault, file: File, to: Path) -> None:
    """Whole and as it was, or not at all."""
    draft = to.with_name(f".{to.name}.{os.getpid()}")
    draft.parent.mkdir(parents=True, exist_ok=True)
    try:
        with draft.open("wb") as out:
            for block in file.blocks:
                out.write(_block(shelf, block, file.path))
        draft.chmod(file.mode)
        os.utime(draft, ns=(file.mtime_ns, file.mtime_ns))
        draft.replace(to)
    finally:
        draft.unlink(missing_ok=True)


def _block(shelf: Vault, block: str, path: str) -> bytes:
    try:
        data = shelf.get(place(block))
    except FileNotFoundError:
        raise Fixable(
            f"{place(block)}: gone from the copies; {path} needs it, restore another copy"
        ) from None
    if hashlib.sha256(data).hexdigest() != block:
        raise Fixable(f"{place(block)}: altered since it was kept; {path} needs it, restore another copy")
    return data


def _database(shelf: Vault, files: list[File]) -> int:
    if not files:
        return 0
    with tempfile.TemporaryDirectory(prefix="dump-") as folder:
        for file in files:
            _bring(shelf, file, Path(folder, file.path.removeprefix(DATABASE)))
        return database.load(Path(folder))


def _checkout() -> None:
    """The artifacts lie in DVC's cache."""
    if not Path("dvc.lock").exists():
        return
    command = [sys.executable, "-m", "dvc", "checkout", "--force", "--quiet"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Fixable(
            f"dvc checkout: {' '.join(done.stderr.split())[-300:]}; the files are back, mend and run it"
        )
