"""A store that is a folder: a disk, or what is mounted as one."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from pipeline.store import Object


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def objects(self, prefix: str, after: str = "") -> Iterator[Object]:
        for file in sorted((self.root / prefix).rglob("*")):
            name = file.relative_to(self.root).as_posix()
            # A segment that is closed at this moment is renamed under our hands; it comes the next time.
            with contextlib.suppress(FileNotFoundError):
                if name > after and file.is_file():
                    about = file.stat()
                    yield Object(name, about.st_size, str(about.st_mtime_ns))

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def local(self, found: Object, into: Path) -> Path:
        return self.root / found.name
