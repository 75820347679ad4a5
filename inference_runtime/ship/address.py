"""Which store an address names."""

from pathlib import Path

from inference_runtime.ship.objects import Store, StoreError

S3 = "s3://"


def canonical(address: str) -> str:
    """The same from wherever ship is called: receipts know a store by it."""
    if address.startswith(S3):
        return S3 + address.removeprefix(S3).rstrip("/")
    if "://" in address:
        raise StoreError(f"store {address}: is neither a folder nor s3://bucket/prefix; name one of them")
    return str(Path(address).resolve())


def store_at(address: str, connections: int) -> Store:
    if address.startswith(S3):
        from inference_runtime.ship.bucket import Bucket

        return Bucket(canonical(address), connections)
    from inference_runtime.ship.folder import Folder

    return Folder(canonical(address))
