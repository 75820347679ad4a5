"""Where copies are kept: a folder, or a bucket that speaks S3. Objects appear whole."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, Protocol

from inference_runtime.ship import s3
from inference_runtime.ship.patience import patiently
from pipeline import drafts

LINE = "params.yaml backup.store"
RIGHTS = "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject"


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
    """What may pass is tried again, a bounded number of times."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.bucket, _, prefix = address.removeprefix("s3://").partition("/")
        self.prefix = f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""
        self.client = s3.client(address, connections=4)

    def names(self, prefix: str) -> list[str]:
        return sorted(item["Key"].removeprefix(self.prefix) for item in self._listed(prefix))

    def put(self, name: str, data: bytes) -> None:
        self._asked(lambda: self.client.put_object(**self._key(name), Body=data))

    def get(self, name: str) -> bytes:
        return bytes(self._asked(lambda: self.client.get_object(**self._key(name))["Body"].read()))

    def drop(self, names: Iterable[str]) -> None:
        for name in names:
            self._asked(partial(self.client.delete_object, **self._key(name)))

    def _listed(self, prefix: str) -> Iterator[dict[str, Any]]:
        asked = {"Bucket": self.bucket, "Prefix": self.prefix + prefix}
        while True:
            page = self._asked(partial(self.client.list_objects_v2, **asked))
            yield from page.get("Contents", [])
            if not page.get("IsTruncated"):
                return
            asked["ContinuationToken"] = page["NextContinuationToken"]

    def _key(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + name}

    def _asked(self, call: Callable[[], Any]) -> Any:
        return patiently(lambda: self._judged(call), Event())

    def _judged(self, call: Callable[[], Any]) -> Any:
        try:
            return call()
        except s3.failures() as error:
            if s3.code(error) in ("NoSuchKey", "404"):
                raise FileNotFoundError(f"not in {self.address}") from None
            raise s3.refusal(error, f"{LINE}: {self.address}", LINE, RIGHTS) from None
