"""TensorRT: our calls against the real bindings of two major versions, and one line where there is no GPU."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from inference_runtime.bundle import Bundle
from inference_runtime.engines import cuda, engine_for, plan, tensorrt
from inference_runtime.errors import Fixable

CONTRACT = Path(__file__).parent / "tensorrt_contract.py"
ROOT = Path(__file__).parents[2]
RTX = "onnxruntime-ep-nv-tensorrt-rtx-cu13==0.5.0"
VERSIONS = {"11": "tensorrt-cu13-bindings==11.4.0.106", "10": "tensorrt-cu13-bindings==10.16.1.11"}
NO_GPU = not Path("/dev/nvidiactl").exists()

Ask = Callable[[str], subprocess.CompletedProcess[str]]


def install(package: str, target: Path) -> Path:
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
    done = subprocess.run([*command, "--python", sys.executable, package], capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"needs `uv pip install {package}`, which failed: {done.stderr.strip()[-200:]}")
    return target


@pytest.fixture(scope="module", params=list(VERSIONS))
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Ask:
    """Runs a function of the contract in a process that holds this version's bindings."""
    target = install(VERSIONS[request.param], tmp_path_factory.mktemp("bindings"))

    def run(what: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(CONTRACT), str(target), request.param, what]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, capture_output=True, text=True)

    run.major = request.param  # type: ignore[attr-defined]
    return run


def test_the_builder_calls_what_there_is(ask: Ask) -> None:
    done = ask("build")
    assert done.returncode == 0, done.stderr
    calls = json.loads(done.stdout.splitlines()[-1])
    assert {"Builder.build_serialized_network", "OnnxParser.parse_from_file"} <= set(calls)
    assert {"IOptimizationProfile.set_shape", "IBuilderConfig.set_timing_cache"} <= set(calls)


def test_the_engine_calls_what_there_is(ask: Ask) -> None:
    done = ask("execute")
    assert done.returncode == 0, done.stderr
    assert "IExecutionContext.execute_async_v3" in json.loads(done.stdout.splitlines()[-1])


def test_the_contract_can_be_broken(ask: Ask) -> None:
    """11 took the precision flags away; both refuse other kinds and other counts of arguments."""
    old = ask("old_flag")
    assert (old.returncode == 0) == (ask.major == "10"), old.stderr  # type: ignore[attr-defined]
    for what in ("wrong_kind", "wrong_count"):
        assert "fits none of" in ask(what).stderr


@pytest.mark.skipif(not NO_GPU, reason="there is a GPU here")
def test_without_a_driver_there_is_one_line(
    make_bundle: Callable[..., Bundle], capsys: pytest.CaptureFixture[str]
) -> None:
    sealed = make_bundle()
    sealed.manifest["engines"]["tensorrt"] = sealed.engines["onnx"]
    with pytest.raises(Fixable, match="tensorrt: no NVIDIA driver here; use the engine onnx"):
        engine_for(sealed, "tensorrt")
    assert plan.main(json.dumps({"model": "m.onnx", "plan": "m.plan"})) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_a_driver_without_a_gpu_is_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    source, library = tmp_path / "cuda.c", tmp_path / "cuda.so"
    source.write_text("int cuInit(int f) { return 0; } int cuDeviceGetCount(int *n) { *n = 0; return 0; }")
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    monkeypatch.setattr(cuda, "LIBRARY", str(library))
    cuda.driver.cache_clear()
    with pytest.raises(Fixable, match="the NVIDIA driver finds no GPU"):
        cuda.gpu()
    cuda.driver.cache_clear()


def test_without_the_package_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(Fixable, match=r"tensorrt: not to be imported .*`uv pip install tensorrt`"):
        plan.bindings()


def test_a_plan_is_built_once_per_graph_gpu_version_and_shape(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    jobs = []

    def build(job: dict[str, str]) -> None:
        jobs.append(job)
        Path(job["plan"]).write_bytes(b"plan")

    monkeypatch.setenv("PLANS", str(tmp_path))
    monkeypatch.setattr(tensorrt, "_build", build)
    entry = {"sha256": "a" * 64, "max_batch": 16, "usual_batch": 1, "workspace_mib": 64}
    first = tensorrt.plan_for(Path("m.onnx"), entry, "H200 sm_90", "11.4")
    assert tensorrt.plan_for(Path("m.onnx"), entry, "H200 sm_90", "11.4") == first
    others = [
        tensorrt.plan_for(Path("m.onnx"), entry | {"sha256": "b" * 64}, "H200 sm_90", "11.4"),
        tensorrt.plan_for(Path("m.onnx"), entry, "L4 sm_89", "11.4"),
        tensorrt.plan_for(Path("m.onnx"), entry, "H200 sm_90", "10.16"),
        tensorrt.plan_for(Path("m.onnx"), entry | {"max_batch": 8}, "H200 sm_90", "11.4"),
    ]
    assert len({first, *others}) == 5 == len(jobs)


def test_the_process_that_builds_says_why_it_cannot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(Fixable, match="the builder ended with 1"):
        tensorrt._build({"plan": str(tmp_path / "a.plan")})
