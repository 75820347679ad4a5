"""The int8 variant: weights and activations in eight bits, the scales of the latter seen on real views."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

from inference_runtime.preprocess import Pixels
from pipeline.export import graph
from pipeline.export.quiet import quiet


class Views(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels: Pixels) -> None:
        self._left: Iterator[NDArray[np.uint8]] = iter(pixels[:, None])

    def get_next(self) -> dict[str, NDArray[np.uint8]] | None:
        one = next(self._left, None)
        return None if one is None else {"pixels": one}


def write(source: Path, target: Path, pixels: Pixels) -> None:
    """`pixels` are the views whose activations set the scales."""
    with TemporaryDirectory() as folder, quiet():
        draft = Path(folder) / target.name
        quantize_static(
            source,
            draft,
            Views(pixels),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            # Unsigned times signed is the pair that x86 multiplies in one instruction.
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            **_where(onnx.load(source, load_external_data=False)),
        )
        graph.write(graph.stripped(onnx.load(draft)), target)


def _where(proto: onnx.ModelProto) -> dict[str, Any]:
    """Measured, on both kinds: where eight bits are faster, and what they would cost too much."""
    if not any(node.op_type == "LayerNormalization" for node in proto.graph.node):
        first = [node.name for node in proto.graph.node if node.op_type == "Conv"][:2]
        return {"op_types_to_quantize": ["Conv", "Clip", "Add"], "nodes_to_exclude": first}
    # In a transformer only products with weights: attention is small, and eight bits are coarse for it. Their
    # outputs stay float: the sum or normalisation that follows would turn them back at once.
    held = {weight.name for weight in proto.graph.initializer}
    nodes = [node.name for node in proto.graph.node if node.op_type == "MatMul" and held & set(node.input)]
    kinds = ["MatMul"]
    options = {"OpTypesToExcludeOutputQuantization": kinds}
    return {"nodes_to_quantize": nodes, "op_types_to_quantize": kinds, "extra_options": options}
