"""Builds a TensorRT plan, in a process of its own: `python -m inference_runtime.engines.plan JOB`.

A builder can end the process it runs in, and holds gigabytes; this one says what it has to say in one line.
"""

import json
import sys
from pathlib import Path
from typing import Any

from inference_runtime.engines import cuda
from inference_runtime.errors import Fixable

MIB = 2**20


def main(argument: str) -> int:
    job = json.loads(argument)
    try:
        # Before TensorRT is touched: without a driver some of its calls end the process.
        gpu = cuda.gpu()
        trt = bindings()
        plan = built(trt, job)
    except Fixable as error:
        print(error, file=sys.stderr)
        return 1
    draft = Path(f"{job['plan']}.draft")
    draft.write_bytes(plan)
    draft.replace(job["plan"])
    print(f"{gpu}: {len(plan) / MIB:.0f} MiB, TensorRT {trt.__version__}")
    return 0


def bindings() -> Any:
    """The package tensorrt, which a machine without a GPU has no use for."""
    try:
        import tensorrt
    except (ImportError, OSError) as error:
        line = " ".join(str(error).split())[:160]
        raise Fixable(f"tensorrt: not to be imported ({line}); `uv pip install tensorrt`") from None
    return tensorrt


def built(trt: Any, job: dict[str, Any]) -> bytes:
    """The plan for the ONNX graph `job["model"]`, for batches from 1 to `job["max_batch"]`."""
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    # The types in the graph are those computed with: the only way in 11, and one of two in 10.
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    _parse(trt.OnnxParser(network, logger), job["model"])
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, job["workspace_mib"] * MIB)
    config.add_optimization_profile(_profile(builder, network, job))
    timings = _remembered(config, Path(job["timings"]))
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise Fixable(
            f"{job['model']}: TensorRT {trt.__version__} finds no way to build it; use another engine"
        )
    Path(job["timings"]).write_bytes(bytes(timings.serialize()))
    return bytes(plan)


def _parse(parser: Any, model: str) -> None:
    # By its name: weights may lie in a second file beside it.
    if not parser.parse_from_file(model):
        said = "; ".join(parser.get_error(number).desc() for number in range(parser.num_errors))
        raise Fixable(f"{model}: TensorRT does not read it ({said[:300]}); export it with another opset")


def _profile(builder: Any, network: Any, job: dict[str, Any]) -> Any:
    pixels = network.get_input(0)
    picture = tuple(pixels.shape)[1:]
    profile = builder.create_optimization_profile()
    sizes = ((batch, *picture) for batch in (1, job["usual_batch"], job["max_batch"]))
    profile.set_shape(pixels.name, *sizes)
    return profile


def _remembered(config: Any, file: Path) -> Any:
    """How long each tactic took when the last plan was built on this GPU: minutes saved."""
    cache = config.create_timing_cache(file.read_bytes() if file.exists() else b"")
    config.set_timing_cache(cache, ignore_mismatch=False)
    return cache


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
