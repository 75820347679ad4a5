"""Names the mistake of an export: the one that explains its answers when made to the trained model."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference_runtime import bundle, preprocess
from inference_runtime.errors import BundleError
from inference_runtime.preprocess import Pixels
from pipeline.classifier import Classifier
from pipeline.gate.scores import Scores
from pipeline.params import Backbone

ASKED = 24  # views are enough to tell mistakes from each other
EXPLAINS = 0.35  # a mistake explains an engine when this little of the difference is left
UNKNOWN = "no known mistake of an export explains it"

Mistake = tuple[str, Callable[[], Scores]]


def of_refusal(export: Path, backbone: Backbone) -> str:
    return (
        _size(export, backbone) or "wrong size: its graph was made for other pixels than the runtime gives it"
    )


def named(
    export: Path,
    served: Scores,
    expected: Scores,
    sent: Sequence[bytes],
    twin: Classifier,
    backbone: Backbone,
) -> str:
    if (broken := int((~np.isfinite(served)).sum())) > 0:
        precision = bundle.load(export).engines["onnx"].get("precision", "fp32")
        return f"overflow in {precision}: {broken} of {len(served)} answers are no finite numbers"
    if size := _size(export, backbone):
        return size
    few = slice(0, ASKED)
    off = _rms(served[few] - expected[few])
    pixels = [preprocess.prepare(data, backbone.spec) for data in sent[few]]
    left = {name: _rms(served[few] - said()) / off for name, said in _mistakes(twin, pixels, sent[few])}
    left |= _linear(served[few], expected[few], off)
    best = min(left, key=lambda name: left[name])
    return best if left[best] < EXPLAINS else UNKNOWN


def _size(export: Path, backbone: Backbone) -> str | None:
    try:
        spec = bundle.load(export).preprocess
    except BundleError:
        return None
    if spec == backbone.spec:
        return None
    seen, trained = (f"{one.width}x{one.height} {one.filter}" for one in (spec, backbone.spec))
    return f"wrong resize: it looks at {seen}, but was trained on {trained}"


def _linear(served: Scores, expected: Scores, off: float) -> dict[str, float]:
    """The same ranking under another fence: classes swapped, or the calibration left out or done twice."""
    slope, shift = np.polyfit(expected, served, 1) if np.ptp(expected) > 1e-9 else (1.0, 0.0)
    left = _rms(served - (slope * expected + shift)) / off
    word = f"logits are {slope:.3g} times the trained ones, moved by {shift:+.3g}"
    return {f"wrong calibration: {word}" if slope > 0 else f"swapped classes: {word}": max(left, 1e-3)}


def _mistakes(twin: Classifier, pixels: list[Pixels], sent: Sequence[bytes]) -> Iterator[Mistake]:
    plain = np.stack(pixels)
    yield "swapped classes", lambda: -_answers(twin, plain)
    yield "wrong normalisation: red and blue change places", lambda: _answers(twin, plain[..., ::-1].copy())
    for name, mean, deviation in _normalisations():
        yield f"wrong normalisation: {name}", _normalised(twin, plain, mean, deviation)
    for name, resized in _resized(pixels, sent):
        yield f"wrong resize: {name}", lambda resized=resized: _answers(twin, np.stack(resized))  # type: ignore[misc]
    for name, grid in _grids(twin, plain.shape[1:3]):
        yield f"wrong position code: RoPE for {name}", lambda grid=grid: _placed(twin, plain, grid)  # type: ignore[misc]


def _normalisations() -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    yield "none, raw bytes", (0.0,), (1.0,)
    yield "only scaled to 0..1", (0.0,), (255.0,)
    yield "to -1..1", (127.5,), (127.5,)
    yield "mean 127, deviation 128", (127.0,), (128.0,)
    yield "ImageNet's", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
    yield "ImageNet's mean without its deviation", (123.675, 116.28, 103.53), (255.0,)
    yield "ImageNet's for 0..1, on raw bytes", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def _normalised(
    twin: Classifier, pixels: Pixels, mean: tuple[float, ...], deviation: tuple[float, ...]
) -> Callable[[], Scores]:
    def said() -> Scores:
        import torch

        right = twin.backbone.mean, twin.backbone.deviation
        twin.backbone.mean, twin.backbone.deviation = torch.tensor(mean), torch.tensor(deviation)
        try:
            return _answers(twin, pixels)
        finally:
            twin.backbone.mean, twin.backbone.deviation = right

    return said


def _resized(pixels: list[Pixels], sent: Sequence[bytes]) -> Iterator[tuple[str, list[Pixels]]]:
    height, width = pixels[0].shape[:2]
    whole = [preprocess.picture(data) for data in sent]
    how = Image.Resampling
    for kind in (how.NEAREST, how.BICUBIC, how.LANCZOS, how.BILINEAR):
        yield f"{kind.name.lower()} filter", [np.array(one.resize((width, height), kind)) for one in whole]
    for share in (0.5, 0.875):
        small = (max(1, round(width * share)), max(1, round(height * share)))
        again = [Image.fromarray(one).resize(small, how.BILINEAR) for one in pixels]
        yield f"through {small[0]}x{small[1]}", [np.array(one.resize((width, height))) for one in again]
        left, top = (width - small[0]) // 2, (height - small[1]) // 2
        box = (left, top, left + small[0], top + small[1])
        cut = [Image.fromarray(one).crop(box).resize((width, height), how.BILINEAR) for one in pixels]
        yield f"only the middle {small[0]}x{small[1]}", [np.array(one) for one in cut]
    if height == width:
        yield "height and width change places", [one.transpose(1, 0, 2).copy() for one in pixels]


def _grids(twin: Classifier, size: tuple[int, ...]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Grids of as many patches or more: the code of a larger one fits when it is cut off."""
    patch = getattr(getattr(twin.backbone.network, "config", None), "patch_size", None)
    if patch is None or not hasattr(twin.backbone.network, "rope_embeddings"):
        return
    high, wide = size[0] // patch, size[1] // patch
    shapes = {(rows, high * wide // rows) for rows in range(1, high * wide + 1) if high * wide % rows == 0}
    shapes |= {(2 * high, 2 * wide), (high, 2 * wide), (2 * high, wide)}
    for rows, columns in sorted(shapes - {(high, wide)}):
        yield f"{columns * patch}x{rows * patch} pixels", (rows * patch, columns * patch)


def _placed(twin: Classifier, pixels: Pixels, size: tuple[int, int]) -> Scores:
    with positions(twin.backbone.network, size):
        return _answers(twin, pixels)


@contextmanager
def positions(network: Any, size: tuple[int, int]) -> Iterator[None]:
    """The network as if its pictures were of another size, as far as it can know where a patch stands."""
    import torch
    from transformers.models.dinov3_vit.modeling_dinov3_vit import DINOv3ViTRopePositionEmbedding

    rope = network.rope_embeddings
    right = rope.forward
    # Fresh modules are in train mode, in which this one throws dice.
    others = DINOv3ViTRopePositionEmbedding(network.config).eval()(torch.zeros(1, 1, *size))

    def wrong(pixels: Any) -> tuple[Any, ...]:
        tokens = right(pixels)[0].shape[0]
        return tuple(code[:tokens] for code in others)

    rope.forward = wrong
    try:
        yield
    finally:
        rope.forward = right


def _answers(twin: Classifier, pixels: Pixels) -> Scores:
    import torch

    with torch.inference_mode():
        said: NDArray[np.float32] = twin(torch.from_numpy(pixels)).numpy()
    return said.astype(np.float64)


def _rms(values: Scores) -> float:
    return float(np.sqrt(np.mean(np.square(values)))) if np.isfinite(values).all() else float("inf")
