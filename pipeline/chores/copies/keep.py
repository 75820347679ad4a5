"""`python -m pipeline backup`: what cannot be made again, into the vault; the oldest copies go."""

import hashlib
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from pipeline import stages, told
from pipeline.chores.copies import database, vault
from pipeline.chores.copies.manifest import BLOCK, BLOCKS, MANIFESTS, File, Manifest, name, place, unpacked
from pipeline.chores.copies.vault import Vault
from pipeline.params import Params
from pipeline.progress import Progress, say

# dvc.lock first: the cache that is read after it then holds all that it names.
ROOTS = ("dvc.lock", "params.yaml", ".dvc/config", ".dvc/cache", "var")
# What a process owns while it lives, what is built again, and MongoDB's files, which are dumped instead.
LEFT_OUT = ("services", "airflow", "fiftyone", "mongo", "store", "shelf", "plans")
DATABASE = "mongo/"  # where the dump stands in a copy


def run(params: Params) -> None:
    with stages.alone(Path("artifacts")), tempfile.TemporaryDirectory(prefix="dump-") as dump:
        if params.people.dataset:
            database.dump(Path(dump))
        sources = {**_house(params.backup.store), **_dumped(Path(dump))}
        shelf = vault.at(params.backup.store)
        manifest, new = _copied(shelf, sources)
    dropped = _forget(shelf, params.backup.keep)
    size = sum(file.size for file in manifest.files)
    told.leave(copy=manifest.at, files=len(manifest.files), bytes=size, new_blocks=new)
    say(
        f"backup: {manifest.at}: {len(manifest.files):,} files, {size / 1e6:,.1f} MB,"
        f" {new:,} new blocks; {dropped:,} old ones dropped"
    )


def _house(store: str) -> dict[str, Path]:
    """Every file worth keeping, by its path in the house."""
    found = {file.as_posix(): file for root in ROOTS for file in _files(Path(root))}
    skipped = [Path("var", left_out) for left_out in LEFT_OUT] + [Path(store)]
    return {
        path: file for path, file in found.items() if not any(file.is_relative_to(one) for one in skipped)
    }


def _files(root: Path) -> Iterator[Path]:
    if root.is_file():
        yield root
    for file in sorted(root.rglob("*")):
        # What begins with a dot inside them is a draft of somebody who was killed.
        if file.is_file() and not file.is_symlink() and not file.name.startswith("."):
            yield file


def _dumped(dump: Path) -> dict[str, Path]:
    return {f"{DATABASE}{file.name}": file for file in sorted(dump.iterdir())}


def _copied(shelf: Vault, sources: dict[str, Path]) -> tuple[Manifest, int]:
    """The blocks go first and the manifest last: a copy that is named is whole."""
    before = _latest(shelf)
    held = {block.rpartition("/")[2] for block in shelf.names(BLOCKS)}
    had = len(held)
    files = []
    for path, file in Progress(sources.items(), "backup", total=len(sources)):
        try:
            files.append(_file(shelf, path, file, before.get(path), held))
        except FileNotFoundError:  # the runtime closed a segment, or forgot one, since it was listed
            continue
    manifest = Manifest(f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}", tuple(files))
    shelf.put(name(manifest.at), manifest.packed())
    return manifest, len(held) - had


def _latest(shelf: Vault) -> dict[str, File]:
    names = shelf.names(MANIFESTS)
    return {file.path: file for file in unpacked(shelf.get(names[-1])).files} if names else {}


def _file(shelf: Vault, path: str, file: Path, before: File | None, held: set[str]) -> File:
    stat = file.stat()
    if before and before.is_still(stat.st_size, stat.st_mtime_ns) and held.issuperset(before.blocks):
        return before
    blocks = []
    with file.open("rb") as opened:
        while data := opened.read(BLOCK):
            block = hashlib.sha256(data).hexdigest()
            if block not in held:
                shelf.put(place(block), data)
                held.add(block)
            blocks.append(block)
    return File(path, stat.st_size, stat.st_mtime_ns, stat.st_mode & 0o777, tuple(blocks))


def _forget(shelf: Vault, keep: int) -> int:
    """The oldest copies beyond `keep`, and the blocks that no copy names; how many blocks."""
    names = shelf.names(MANIFESTS)
    shelf.drop(names[:-keep])
    named: set[str] = set().union(*(unpacked(shelf.get(one)).blocks for one in names[-keep:]))
    lone = [block for block in shelf.names(BLOCKS) if block.rpartition("/")[2] not in named]
    shelf.drop(lone)
    return len(lone)
