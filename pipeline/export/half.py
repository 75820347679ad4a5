"""The variant in half precision: half to load and to move for a GPU; a CPU computes it in float32."""

from pathlib import Path

import onnx
from onnxruntime.transformers.float16 import convert_float_to_float16
from onnxruntime.transformers.onnx_model import OnnxModel

from pipeline.export import graph

# Their sums run over hundreds of numbers, which half precision would round on the way.
KEPT = ("LayerNormalization", "Softmax")


def write(source: Path, target: Path) -> None:
    proto = convert_float_to_float16(onnx.load(source), keep_io_types=True, op_block_list=list(KEPT))
    _repair(proto.graph)
    graph.write(graph.stripped(proto), target)


def _repair(converted: onnx.GraphProto) -> None:
    """The converter casts what two nodes share once for each, and writes its casts behind their users."""
    once = {tuple(node.output): node for node in reversed(converted.node)}
    kept = [node for node in converted.node if node is once[tuple(node.output)]]
    del converted.node[:]
    converted.node.extend(kept)
    OnnxModel.graph_topological_sort(converted, is_deterministic=True)
