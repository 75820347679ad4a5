"""What is released is copied, told its version and verdict, signed if there is a key, and holds no pickle."""

import shutil
from pathlib import Path

from inference_runtime import bundle as bundles
from inference_runtime import signature
from inference_runtime.errors import Fixable
from pipeline import measured
from pipeline.hub import Release

# A picture of weights, a graph, or words. Pickles run whatever they like when they are opened.
SAFE = (".onnx", ".data", ".safetensors", ".json", ".jinja", ".npz", ".txt", ".md", "")


def copy(folder: Path, to: Path, release: Release, verdict: dict[str, object]) -> None:
    if bundles.load(folder).id != release.bundle:
        raise Fixable(f"{folder}: is not bundle {release.bundle}, which the gate judged; run the gate again")
    shutil.copytree(folder, to, dirs_exist_ok=True)
    times = measured.of(bundles.load(to))
    bundles.attach(to, version=release.version, verdict=verdict, measured=times)
    signature.sign_if_asked(to)


def refuse_unsafe(folder: Path) -> None:
    for name in sorted(bundles.load(folder).manifest["files"]):
        if Path(name).suffix not in SAFE or _is_pickled(folder / name):
            raise Fixable(
                f"{folder / name}: only safetensors, ONNX and text are published; export without it"
            )


def _is_pickled(file: Path) -> bool:
    with file.open("rb") as opened:
        start = opened.read(2)
    # A pickle of protocol 2 and later says so in two bytes; torch hides one in a zip, and so may an .npz.
    return (start[:1] == b"\x80" and start[1:] in (b"\x02", b"\x03", b"\x04", b"\x05")) or (
        start == b"PK" and _zip_holds_pickle(file)
    )


def _zip_holds_pickle(file: Path) -> bool:
    import zipfile

    with zipfile.ZipFile(file) as archive:
        return any(name.endswith(".pkl") for name in archive.namelist())
