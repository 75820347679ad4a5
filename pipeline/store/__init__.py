"""Where the journal lives: a folder, or a bucket that speaks S3. Closed segments and images never change."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference_runtime.errors import Fixable


@dataclass(frozen=True)
class Object:
    name: str
    size: int
    mark: str  # another one when the bytes are others


class Store(Protocol):
    """Safe to call from several threads. What may pass is tried again, a bounded number of times."""

    def objects(self, prefix: str, after: str = "") -> Iterable[Object]:
        """Everything under a prefix whose name sorts after `after`; what comes meanwhile may be missing."""

    def read(self, name: str) -> bytes:
        """The bytes, whole; FileNotFoundError where there are none."""

    def local(self, found: Object, into: Path) -> Path:
        """A local file with these bytes; of what is far away a copy in the folder `into`, made once."""


def at(address: str, key: str, connections: int) -> Store:
    """`key` is the line of params.yaml that holds the address, for the error."""
    if address.startswith("s3://"):
        from pipeline.store.bucket import Bucket

        return Bucket(address, key, connections)
    from pipeline.store.folder import Folder

    if not Path(address).is_dir():
        raise Fixable(
            f"params.yaml: {key}: {address} is no folder; start the runtime once, or correct the line"
        )
    return Folder(Path(address))
