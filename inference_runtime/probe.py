"""What a bundle must pass before it answers anybody: it loads, is warm, and says what it said at export."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from inference_runtime.bundle import load
from inference_runtime.engines.placement import placed
from inference_runtime.errors import BundleError
from inference_runtime.predictor import Predictor
from inference_runtime.preprocess import Preprocess
from inference_runtime.signature import refuse_untrusted

if TYPE_CHECKING:
    from inference_runtime.preprocess import Pixels

# pixels uint8 [n, height, width, 3], logits float32 [n], tolerance: what the exporter saw and heard.
FILE = "probe.npz"
STEADY = 1e-3  # accelerators add up in any order


def loaded(folder: Path, held: Callable[[str], Predictor | None] = lambda id: None) -> Predictor:
    """Verified, trusted, warm and proved; `held` spares the second loading of what is in memory already."""
    bundle = load(folder)
    refuse_untrusted(folder)
    if predictor := held(bundle.id):
        return predictor
    place = placed(bundle)
    # One thread per picture: the workers are the parallel part.
    predictor = Predictor(bundle, threads=1, engine=place.engine, because=place.reason)
    prove(predictor)
    return predictor


def prove(predictor: Predictor) -> None:
    """A BundleError when it has no number for a picture, not the same twice, or another than at export."""
    picture = fixed(predictor.bundle.preprocess)
    first, again = predictor.logits(picture), predictor.logits(picture)
    if first.shape != (1,) or not np.isfinite(first).all():
        raise BundleError(f"{predictor.bundle.folder}: answers {first} to a plain picture; export it again")
    if float(np.abs(first - again).max()) > STEADY:
        raise BundleError(f"{predictor.bundle.folder}: answers {first} and then {again}; export it again")
    if FILE in predictor.bundle.manifest["files"]:
        _compare(predictor)


def fixed(spec: Preprocess) -> "Pixels":
    """The same picture everywhere: a slope, red to the right and green downwards."""
    pixels = np.full((1, spec.height, spec.width, 3), 127, np.uint8)
    pixels[..., 0] = np.linspace(0, 255, spec.width, dtype=np.uint8)
    pixels[..., 1] = np.linspace(0, 255, spec.height, dtype=np.uint8)[:, None]
    return pixels


def _compare(predictor: Predictor) -> None:
    file = predictor.bundle.folder / FILE
    try:
        with np.load(file, allow_pickle=False) as held:
            pixels, wanted, tolerance = held["pixels"], held["logits"], float(held["tolerance"])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise BundleError(f"{file}: no probe ({' '.join(str(error).split())}); export it again") from error
    apart = float(np.abs(predictor.logits(pixels) - wanted).max())
    if not apart <= tolerance:
        raise BundleError(
            f"{file}: the engine is {apart:.2g} off what it said at export, allowed is {tolerance:g};"
            " export it for this machine"
        )
