"""What is shipped, and what a store can say about it."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from inference_runtime.errors import Away, Fixable


class StoreError(Fixable):
    """The store will not have it, and trying again changes nothing before a person does something."""


class StillUnsteady(StoreError, Away):
    """It failed as often as it was asked; the same again, later, may go well."""


class Unsteady(Exception):
    """The store failed in a way that may pass: worth another try."""


@dataclass(frozen=True)
class Parcel:
    """An object on its way: its name in the store, and its bytes."""

    name: str
    data: bytes

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.data).hexdigest()

    @cached_property
    def md5(self) -> bytes:
        # Not for trust: it is the one checksum that every S3 server verifies.
        return hashlib.md5(self.data, usedforsecurity=False).digest()


class Store(Protocol):
    """Safe to call from several threads; every call may raise Unsteady or StoreError."""

    address: str

    def check(self) -> None:
        """Raises where no object could be put."""

    def size(self, name: str) -> int | None:
        """Bytes of the object, None where there is none."""

    def holds(self, parcel: Parcel) -> bool:
        """Whether these very bytes lie under that name."""

    def put(self, parcel: Parcel) -> None:
        """Whole and durable when it returns; what lay there before is replaced."""
