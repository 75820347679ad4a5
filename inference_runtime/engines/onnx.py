"""The portable engine: ONNX Runtime on the CPU."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as refusals

from inference_runtime.bundle import Bundle
from inference_runtime.errors import BundleError
from inference_runtime.preprocess import Pixels

PROVIDER = "CPUExecutionProvider"
ERRORS_ONLY = 3

Value = tuple[str, str, list[int | str | None]]

# ONNX Runtime's errors have no common root of their own.
REFUSED = (
    refusals.Fail,
    refusals.InvalidArgument,
    refusals.InvalidGraph,
    refusals.InvalidProtobuf,
    refusals.NoModel,
    refusals.NotImplemented,
    refusals.RuntimeException,
)


class OnnxEngine:
    def __init__(self, bundle: Bundle, threads: int | None = None, name: str = "onnx") -> None:
        self.name = name
        model = bundle.folder / bundle.engines[self.name]["file"]
        self._session = _session(model, threads)
        _check(self._session, bundle, model)

    def logits(self, pixels: Pixels) -> NDArray[np.float32]:
        # One by one: on a CPU a batch is no faster (measured), holds more memory, and
        # rounds a picture's logit differently with the number of its neighbours.
        if len(pixels) == 1:
            return self._run(pixels)
        return np.concatenate([np.empty(0, np.float32), *(self._run(one[None]) for one in pixels)])

    def _run(self, pixels: Pixels) -> NDArray[np.float32]:
        (logit,) = self._session.run(["logit"], {"pixels": pixels})
        return cast("NDArray[np.float32]", logit)


def _session(model: Path, threads: int | None) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    try:
        session = ort.InferenceSession(str(model), options, providers=[PROVIDER])
    except REFUSED as error:
        line = " ".join(str(error).split())[:200]
        raise BundleError(f"{model}: ONNX Runtime refuses it ({line}); export the bundle again") from error
    if session.get_providers() != [PROVIDER]:
        raise BundleError(f"{model}: runs on {session.get_providers()}, not {PROVIDER}; install onnxruntime")
    return session


def _check(session: ort.InferenceSession, bundle: Bundle, model: Path) -> None:
    takes = [(one.name, one.type, one.shape) for one in session.get_inputs()]
    gives = [(one.name, one.type, one.shape) for one in session.get_outputs()]
    spec = bundle.preprocess
    pixels = ("pixels", "tensor(uint8)", (1, spec.height, spec.width, 3))
    logit = ("logit", "tensor(float)", (1,))
    if not (_is(takes, *pixels) and _is(gives, *logit)):
        raise BundleError(
            f"{model}: takes {takes} and gives {gives}, not {pixels} and {logit}; export it again"
        )


def _is(found: Sequence[Value], name: str, kind: str, shape: tuple[int, ...]) -> bool:
    if len(found) != 1 or found[0][:2] != (name, kind) or len(found[0][2]) != len(shape):
        return False
    # A side that the graph leaves open has a name, or none, instead of a number.
    return all(
        not isinstance(side, int) or side == wanted for side, wanted in zip(found[0][2], shape, strict=True)
    )
