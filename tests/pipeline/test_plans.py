"""Whether TensorRT reads our graphs and builds plans of them: NVIDIA's own parser and builder, on a CPU."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline import backbones
from pipeline.classifier import Classifier, Head
from pipeline.export import graph, half
from pipeline.params import Backbone

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".envs" / "tensorrt-rtx"
PROVIDED = (
    f"uv pip install --no-deps --target {HOME.relative_to(ROOT)}"
    " onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0 tensorrt-cu13-bindings==11.4.0.106"
)
BUILD = """
import json, sys
from pathlib import Path
import tensorrt_bindings as trt
from inference_runtime.engines import plan
job = {"model": sys.argv[1], "timings": sys.argv[2], "max_batch": 4, "usual_batch": 1, "workspace_mib": 512}
print(len(plan.built(trt, job)))
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not HOME.is_dir(), reason=f"the builder is not here: `{PROVIDED}`"),
]


@pytest.fixture(scope="module")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """TensorRT-RTX under TensorRT's names: the same C entry points, and its builder needs no GPU."""
    folder, found = tmp_path_factory.mktemp("lib"), HOME / "onnxruntime_ep_nv_tensorrt_rtx"
    (folder / "libnvinfer.so.11").symlink_to(found / "libtensorrt_rtx.so.1.7.1")
    (folder / "libnvonnxparser.so.11").symlink_to(found / "libtensorrt_onnxparser_rtx.so.1.7.1")
    for library in found.glob("lib*.so*"):
        (folder / library.name).symlink_to(library)
    (folder / "stub.c").write_text("void *initLibNvInferPlugins(void) { return 0; }")
    command = ["gcc", "-shared", "-fPIC", "-o", "libnvinfer_plugin.so.11", "stub.c"]
    subprocess.run(command, cwd=folder, check=True)
    return folder


def classifier_of(name: str, side: int) -> Classifier:
    frozen = backbones.load(Backbone(name=name, revision=None, width=side, height=side, batch=1))
    weight = np.random.default_rng(1).normal(0, 0.1, frozen.dim).astype(np.float32)
    return Classifier(frozen, Head(weight, bias=0.5, temperature=1.5, offset=-0.5))


@pytest.mark.parametrize("name", ["efficientnet-lite0", "dinov3"])
def test_what_we_export_is_built(name: str, dinov3: Path, libraries: Path, tmp_path: Path) -> None:
    model = classifier_of(name, 224) if name != "dinov3" else classifier_of(str(dinov3), 32)
    side = 224 if name != "dinov3" else 32
    graph.write(graph.exported(model, (side, side), 20), tmp_path / "fp32.onnx")
    half.write(tmp_path / "fp32.onnx", tmp_path / "fp16.onnx")
    environment = os.environ | {"LD_LIBRARY_PATH": str(libraries), "PYTHONPATH": f"{ROOT}:{HOME}"}
    for precision in ("fp32", "fp16"):
        arguments = [str(tmp_path / f"{precision}.onnx"), str(tmp_path / "timings")]
        command = [sys.executable, "-c", BUILD, *arguments]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        assert int(done.stdout.splitlines()[-1]) > 10_000
