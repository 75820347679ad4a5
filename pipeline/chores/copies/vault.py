"""Where copies are kept: a folder, or a bucket that speaks S3. Objects appear whole."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

from inference_runtime.errors import Away, Fixable
from pipeline import drafts


class Vault(Protocol):
    def names(self, prefix: str) -> list[str]:
        """Names of all objects under a prefix, sorted."""

    def put(self, name: str, data: bytes) -> None: ...

    def get(self, name: str) -> bytes:
        """FileNotFoundError where there is none."""

    def drop(self, names: Iterable[str]) -> None: ...


def at(address: str) -> Vault:
    return Bucket(address) if address.startswith("s3://") else Folder(Path(address))


class Folder:
    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self, prefix: str) -> list[str]:
        files = (file for file in (self.root / prefix).rglob("[!.]*") if file.is_file())
        return sorted(file.relative_to(self.root).as_posix() for file in files)

    def put(self, name: str, data: bytes) -> None:
        drafts.write(self.root / name, data)

    def get(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            (self.root / name).unlink(missing_ok=True)


class Bucket:
    def __init__(self, address: str) -> None:
        self.address = address
        self.bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix.rstrip('/')}/" if prefix else ""
        self.client = _client()

    def names(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2")
        found = self._asked(
            lambda: [
                item["Key"].removeprefix(self.prefix)
                for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + prefix)
                for item in page.get("Contents", [])
            ]
        )
        return sorted(found)

    def put(self, name: str, data: bytes) -> None:
        self._asked(lambda: self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=data))

    def get(self, name: str) -> bytes:
        try:
            return bytes(
                self._asked(
                    lambda: self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)["Body"].read()
                )
            )
        except self.client.exceptions.NoSuchKey:
            raise FileNotFoundError(f"{self.address}/{name}") from None

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            self._asked(
                lambda name=name: self.client.delete_object(Bucket=self.bucket, Key=self.prefix + name)
            )

    def _asked(self, what: Any) -> Any:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            return what()
        except self.client.exceptions.NoSuchKey:
            raise
        except (BotoCoreError, ClientError) as error:
            raise self._refusal(error) from None

    def _refusal(self, error: Exception) -> Fixable:
        from botocore.exceptions import ConnectionError, HTTPClientError

        line = (
            f"params.yaml: backup.store: {self.address}: {error}; check the bucket, AWS_ENDPOINT_URL and the"
        )
        kind = Away if isinstance(error, ConnectionError | HTTPClientError) else Fixable
        return kind(f"{line} AWS_* credentials")


def _client() -> Any:
    import boto3
    from botocore.config import Config

    retries = {"max_attempts": 4, "mode": "standard"}
    return boto3.client("s3", config=Config(retries=retries, connect_timeout=5))
