"""What is served was sealed and, where a key is given, signed: anything else is refused, nothing changes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from inference_runtime import bundle, signature
from inference_runtime.bundle import MANIFEST, SIGNATURE, Bundle
from inference_runtime.errors import BundleError, Fixable
from inference_runtime.signature import PUBLIC_KEY, SIGNING_KEY

Make = Callable[..., Bundle]


def pem(key: Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def public(key: Ed25519PrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> Ed25519PrivateKey:
    made = Ed25519PrivateKey.generate()
    monkeypatch.setenv(SIGNING_KEY, pem(made))
    monkeypatch.setenv(PUBLIC_KEY, public(made))
    return made


def test_signed_once_it_stays_trusted_and_loads(key: Ed25519PrivateKey, make_bundle: Make) -> None:
    folder = make_bundle().folder
    assert signature.sign_if_asked(folder)
    signature.refuse_untrusted(folder)
    assert bundle.load(folder).id


def test_without_keys_nothing_is_signed_and_nothing_is_asked(
    make_bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (SIGNING_KEY, PUBLIC_KEY):
        monkeypatch.delenv(name, raising=False)
    folder = make_bundle().folder
    assert not signature.sign_if_asked(folder)
    signature.refuse_untrusted(folder)


def test_who_seals_again_what_he_altered_is_found_out(key: Ed25519PrivateKey, make_bundle: Make) -> None:
    """Hashes alone would believe him: they fit."""
    folder, other = make_bundle().folder, make_bundle("other", gain=2.0).folder
    signature.sign_if_asked(folder)
    shutil.copy(folder / SIGNATURE, other)
    assert bundle.load(other)
    with pytest.raises(BundleError, match="not signed by the owner"):
        signature.refuse_untrusted(other)


def test_a_verdict_that_was_altered_is_found_out(key: Ed25519PrivateKey, make_bundle: Make) -> None:
    folder = make_bundle().folder
    bundle.attach(folder, version="1.0.0", verdict={"value": "FAIL"})
    signature.sign_if_asked(folder)
    manifest = json.loads((folder / MANIFEST).read_text())
    (folder / MANIFEST).write_text(json.dumps(manifest | {"verdict": {"value": "PASS"}}))
    assert bundle.load(folder)
    with pytest.raises(BundleError, match="not signed by the owner"):
        signature.refuse_untrusted(folder)


def test_what_is_said_anew_must_be_signed_anew(key: Ed25519PrivateKey, make_bundle: Make) -> None:
    folder = make_bundle().folder
    signature.sign_if_asked(folder)
    bundle.attach(folder, version="1.0.0", verdict={})
    with pytest.raises(BundleError, match="not signed, and BUNDLE_PUBLIC_KEY asks for it"):
        signature.refuse_untrusted(folder)


def test_another_ones_key_is_not_trusted(
    key: Ed25519PrivateKey, make_bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_bundle().folder
    monkeypatch.setenv(SIGNING_KEY, pem(Ed25519PrivateKey.generate()))
    signature.sign_if_asked(folder)
    with pytest.raises(BundleError, match="not signed by the owner"):
        signature.refuse_untrusted(folder)


def test_keys_may_be_files_and_what_is_no_key_is_named(
    make_bundle: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder, made = make_bundle().folder, Ed25519PrivateKey.generate()
    (tmp_path / "key.pem").write_text(pem(made))
    monkeypatch.setenv(SIGNING_KEY, str(tmp_path / "key.pem"))
    assert signature.sign_if_asked(folder)
    other = ec.generate_private_key(ec.SECP256R1())
    wrong = other.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    for given, said in ((wrong.decode(), "no Ed25519 key"), ("nowhere.pem", "No such file"), ("", None)):
        monkeypatch.setenv(SIGNING_KEY, given)
        if said:
            with pytest.raises(Fixable, match=said):
                signature.sign_if_asked(folder)
        else:
            assert not signature.sign_if_asked(folder)
    with pytest.raises(Fixable, match="no Ed25519 key"):
        signature.check(folder, pem(made))


@pytest.mark.parametrize("deed", ["unsigned", "swapped", "corrupted", "resealed"])
def test_the_server_refuses_it_and_goes_on_with_the_last_good_one(
    key: Ed25519PrivateKey,
    make_bundle: Make,
    make_picture: Callable[..., bytes],
    start: Callable[..., object],
    deed: str,
) -> None:
    good, bad = make_bundle(), make_bundle("bad", gain=-8.0)
    for one in (good, bad):
        signature.sign_if_asked(one.folder)
    running = start(good)
    match deed:
        case "unsigned":
            (bad.folder / SIGNATURE).unlink()
        case "swapped":
            shutil.copy(good.folder / "model.onnx", bad.folder)
        case "corrupted":
            data = bytearray((bad.folder / "model.onnx").read_bytes())
            data[len(data) // 2] ^= 1
            (bad.folder / "model.onnx").write_bytes(data)
        case "resealed":
            other = make_bundle("other", gain=2.0)
            shutil.copy(bad.folder / SIGNATURE, other.folder)
            bad = other
    status, said = running.swap(bad.folder)
    assert status == 409 and str(bad.folder) in said["error"]
    status, answer = running.predict(make_picture())
    assert (status, answer["bundle"]) == (200, good.id)
