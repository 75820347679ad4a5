"""The classifier as an ONNX graph: `pixels` uint8 [N,H,W,3] in, `logit` float32 [N] out."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import onnx
import torch

from pipeline.classifier import Classifier


def exported(model: Classifier, size: tuple[int, int], opset: int) -> bytes:
    """Equal classifiers give equal bytes, wherever and whenever they are exported."""
    # A batch of two, for a batch of one would be taken for a constant.
    example = torch.zeros((2, *size, 3), dtype=torch.uint8)
    with _quiet():
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
    data: bytes = stripped(program.model_proto).SerializeToString(deterministic=True)
    return data


def stripped(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Without the exporter's notes, which hold the paths of this machine's files."""
    _refuse_branches(proto)
    # Shapes in between are for readers; engines infer their own.
    del proto.graph.value_info[:]
    for part in (proto, proto.graph, *_parts(proto.graph)):
        part.doc_string = ""
        del part.metadata_props[:]
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "N"
    onnx.checker.check_model(proto)
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


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on torchvision and on its own future."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
