"""The classifier as an ONNX graph: `pixels` uint8 [N,H,W,3] in, `logit` float32 [N] out."""

from collections.abc import Iterable
from pathlib import Path

import onnx
import torch

from pipeline.classifier import Classifier
from pipeline.export.quiet import quiet

# What one protobuf can hold, less room for the graph itself.
LIMIT = 2**31 - 2**24


def exported(model: Classifier, size: tuple[int, int], opset: int) -> onnx.ModelProto:
    """Equal classifiers give equal graphs, wherever and whenever they are exported."""
    # A batch of two, for a batch of one would be taken for a constant.
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)
    with quiet():
        program = torch.onnx.export(
            model,
            (example,),
            dynamo=True,
            opset_version=opset,
            input_names=["pixels"],
            output_names=["logit"],
            dynamic_shapes={"pixels": {0: torch.export.Dim.DYNAMIC}},
            external_data=False,
            verbose=False,
        )
    assert program is not None
    return stripped(program.model_proto)


def write(proto: onnx.ModelProto, file: Path, limit: int = LIMIT) -> None:
    """One file; weights over the limit go into a second one beside it."""
    if sum(len(weight.raw_data) for weight in proto.graph.initializer) > limit:
        beside = f"{file.name}.data"
        onnx.save_model(proto, file, save_as_external_data=True, location=beside, size_threshold=1024)
    else:
        file.write_bytes(proto.SerializeToString(deterministic=True))
    # By its name: what lies in two files cannot be checked in one piece.
    onnx.checker.check_model(str(file))


def stripped(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Without the exporter's notes, which hold the paths of this machine's files."""
    _refuse_branches(proto)
    # Shapes in between are for readers; engines infer their own.
    del proto.graph.value_info[:]
    for part in (proto, proto.graph, *_parts(proto.graph)):
        part.doc_string = ""
        del part.metadata_props[:]
    del proto.metadata_props[:]
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    return proto


def _parts(graph: onnx.GraphProto) -> Iterable[onnx.NodeProto]:
    yield from graph.node
    yield from graph.initializer
    yield from graph.input
    yield from graph.output


def _refuse_branches(proto: onnx.ModelProto) -> None:
    # TensorRT and the quantisers stumble over branches; nothing here has a reason to branch.
    branches = [node.name for node in proto.graph.node if node.op_type in ("If", "Loop", "Scan")]
    branches += [function.name for function in proto.functions]
    if branches:
        raise RuntimeError(f"the exported graph branches or calls functions: {', '.join(branches)}")
