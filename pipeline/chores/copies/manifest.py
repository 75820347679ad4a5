"""What one copy of the house consists of: each file with the blocks of bytes that make it."""

import gzip
import json
from dataclasses import asdict, dataclass
from typing import Any

BLOCKS, MANIFESTS = "blocks/", "copies/"
# Of a database that grows at its end all blocks but the last stay as they were, and are not copied again.
BLOCK = 16 << 20


@dataclass(frozen=True)
class File:
    """`path` is relative to the house; mode and time come back with the bytes."""

    path: str
    size: int
    mtime_ns: int
    mode: int
    blocks: tuple[str, ...]

    def is_still(self, size: int, mtime_ns: int) -> bool:
        return (self.size, self.mtime_ns) == (size, mtime_ns)


@dataclass(frozen=True)
class Manifest:
    at: str
    files: tuple[File, ...]

    @property
    def blocks(self) -> set[str]:
        return {block for file in self.files for block in file.blocks}

    def packed(self) -> bytes:
        told = {"at": self.at, "files": [asdict(file) for file in self.files]}
        return gzip.compress(json.dumps(told).encode(), mtime=0)


def unpacked(data: bytes) -> Manifest:
    told: dict[str, Any] = json.loads(gzip.decompress(data))
    files = (File(**{**file, "blocks": tuple(file["blocks"])}) for file in told["files"])
    return Manifest(told["at"], tuple(files))


def name(at: str) -> str:
    return f"{MANIFESTS}{at}.json.gz"


def stamp(name: str) -> str:
    return name.removeprefix(MANIFESTS).removesuffix(".json.gz")


def place(block: str) -> str:
    return f"{BLOCKS}{block[:2]}/{block}"
