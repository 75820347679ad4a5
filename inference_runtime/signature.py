"""Who released a bundle: an Ed25519 signature beside the manifest, whose hashes vouch for every file.

The keys are PEM text or the name of a file that holds it; `openssl genpkey -algorithm ed25519` makes one.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from inference_runtime.bundle import MANIFEST, SIGNATURE
from inference_runtime.errors import BundleError, Fixable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNING_KEY = "BUNDLE_SIGNING_KEY"
PUBLIC_KEY = "BUNDLE_PUBLIC_KEY"


def sign_if_asked(folder: Path) -> bool:
    """Signs the manifest as it is now, where the environment names a key."""
    given = os.environ.get(SIGNING_KEY)
    if not given:
        return False
    (folder / SIGNATURE).write_bytes(_private(given).sign((folder / MANIFEST).read_bytes()))
    return True


def refuse_untrusted(folder: Path) -> None:
    """Where the environment names a public key, only what its owner signed may be loaded."""
    given = os.environ.get(PUBLIC_KEY)
    if given:
        check(folder, given)


def check(folder: Path, public: str) -> None:
    from cryptography.exceptions import InvalidSignature

    key = _public(public)
    try:
        signed = (folder / SIGNATURE).read_bytes()
    except FileNotFoundError:
        raise BundleError(
            f"{folder}: not signed, and {PUBLIC_KEY} asks for it; release it with {SIGNING_KEY} set"
        ) from None
    try:
        key.verify(signed, (folder / MANIFEST).read_bytes())
    except InvalidSignature:
        raise BundleError(
            f"{folder / SIGNATURE}: not signed by the owner of {PUBLIC_KEY}; fetch the bundle again"
        ) from None


def _private(given: str) -> "Ed25519PrivateKey":
    serialization = _serialization(SIGNING_KEY)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    try:
        key = serialization.load_pem_private_key(_pem(given, SIGNING_KEY), password=None)
    except (ValueError, TypeError):
        raise _no_key(SIGNING_KEY) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise _no_key(SIGNING_KEY)
    return key


def _public(given: str) -> "Ed25519PublicKey":
    serialization = _serialization(PUBLIC_KEY)
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = serialization.load_pem_public_key(_pem(given, PUBLIC_KEY))
    except ValueError:
        raise _no_key(PUBLIC_KEY) from None
    if not isinstance(key, Ed25519PublicKey):
        raise _no_key(PUBLIC_KEY)
    return key


def _serialization(name: str):  # type: ignore[no-untyped-def]  # a module
    try:
        from cryptography.hazmat.primitives import serialization
    except ModuleNotFoundError:
        raise Fixable(f"{name}: needs cryptography; install the extra `signing`, or unset it") from None
    return serialization


def _pem(given: str, name: str) -> bytes:
    if given.lstrip().startswith("-----BEGIN"):
        return given.encode()
    try:
        return Path(given).read_bytes()
    except OSError as error:
        raise Fixable(f"{name}: {given}: {error.strerror}; give PEM text or the name of its file") from None


def _no_key(name: str) -> Fixable:
    return Fixable(f"{name}: no Ed25519 key in PEM; make one with `openssl genpkey -algorithm ed25519`")
