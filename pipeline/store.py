"""Where the journal lives: a folder, or a bucket that speaks S3. Objects are never changed once whole."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from inference_runtime.errors import Fixable
from pipeline import drafts

if TYPE_CHECKING:
    from botocore.exceptions import BotoCoreError


class Store(Protocol):
    def names(self, prefix: str) -> list[str]:
        """Names of all objects under a prefix, sorted."""

    def local(self, name: str) -> Path:
        """A local file with the object's bytes; FileNotFoundError where there is none."""


def at(address: str, key: str) -> Store:
    """`key` is the line of params.yaml that holds the address, for the error."""
    if address.startswith("s3://"):
        return Bucket(address, key)
    if not Path(address).is_dir():
        raise Fixable(
            f"params.yaml: {key}: {address} is no folder; start the runtime once, or correct the line"
        )
    return Folder(Path(address))


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, prefix: str) -> list[str]:
        files = (file for file in (self.root / prefix).rglob("*") if file.is_file())
        return sorted(file.relative_to(self.root).as_posix() for file in files)

    def local(self, name: str) -> Path:
        return self.root / name


class Bucket:
    """Objects are copied once to `var/store`; a copy that is whole is never fetched again."""

    def __init__(self, address: str, key: str) -> None:
        self.bucket, _, self.prefix = address.removeprefix("s3://").partition("/")
        self.prefix = self.prefix.rstrip("/") + "/" if self.prefix else ""
        self.key, self.address = key, address
        self.copies = Path(os.environ.get("STORE_COPIES", "var/store")) / self.bucket / self.prefix
        self.client = _client()

    def names(self, prefix: str) -> list[str]:
        with_prefix = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        pages = self.client.get_paginator("list_objects_v2").paginate(**with_prefix)
        return sorted(item["Key"].removeprefix(self.prefix) for item in self._each(pages))

    def local(self, name: str) -> Path:
        copy = self.copies / name
        if not copy.exists():
            drafts.write(copy, self._get(name))
        return copy

    def _each(self, pages: Any) -> Iterator[dict[str, Any]]:
        try:
            for page in pages:
                yield from page.get("Contents", [])
        except _failures() as error:
            raise self._refusal(error) from None

    def _get(self, name: str) -> bytes:
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
            data: bytes = answer["Body"].read()
        except self.client.exceptions.NoSuchKey:
            raise FileNotFoundError(f"{self.address}: {name}") from None
        except _failures() as error:
            raise self._refusal(error) from None
        return data

    def _refusal(self, error: Exception) -> Fixable:
        remedy = "check the bucket, AWS_ENDPOINT_URL and the AWS_* credentials"
        return Fixable(f"params.yaml: {self.key}: {self.address}: {error}; {remedy}")


def _client() -> Any:
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3", config=Config(retries={"max_attempts": 4, "mode": "standard"}, connect_timeout=5)
    )


def _failures() -> tuple[type["BotoCoreError"], type[Exception]]:
    from botocore.exceptions import BotoCoreError, ClientError

    return BotoCoreError, ClientError
