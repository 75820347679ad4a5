"""What a serving machine must not need."""

import ast
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

import inference_runtime

ROOM = Path(inference_runtime.__file__).parent
MODULES = sorted(
    ".".join(("inference_runtime", *file.relative_to(ROOM).with_suffix("").parts)).removesuffix(".__init__")
    for file in ROOM.rglob("*.py")
    if file.name != "__main__.py"
)
ALLOWED = {"numpy", "onnxruntime", "PIL", "pybase64", "inference_runtime"}
# What an extra brings, by the only file that may ask for it.
EXTRAS = {
    "engines/plan.py": {"tensorrt"},
    "ship/bucket.py": {"boto3", "botocore"},
    "ship/s3.py": {"boto3", "botocore"},
    "film.py": {"av"},
    "shared_cache.py": {"redis"},
    "signature.py": {"cryptography"},
    "miner/chain.py": {"bittensor"},
}
# Nothing loads these but the command that needs them; they can not even be imported without their SDK.
SDK_FILES = {f"miner/{name}.py": {"bittensor"} for name in ("axon", "run", "synapse")}
SDK_FILES["ray_app/application.py"] = {"ray", "starlette"}
EXTRAS |= SDK_FILES | {"ray_app/__main__.py": {"ray"}}
# The GPU's rooms: nothing loads them but an engine of a GPU, and nothing else knows torch or Triton.
GPU_FILES = {f"engines/{name}.py" for name in ("fleet", "lanes", "network", "torch_plain", "torch_triton")}
GPU_FILES |= {
    "engines/placement.py",
    "engines/frames.py",
    "bench/ceilings.py",
    "vit/weights.py",
    "vit/plain.py",
    "vit/folded.py",
}
GPU_FILES |= {f"kernels/{file.name}" for file in (ROOM / "kernels").glob("*.py")}
EXTRAS |= {file: {"torch", "triton", "safetensors"} for file in GPU_FILES}


def loaded_by(*modules: str) -> set[str]:
    code = f"import sys, {', '.join(modules)}; print(*sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in said.stdout.split()}


def test_the_whole_runtime_loads_nothing_heavy() -> None:
    heavy = {"torch", "transformers", "polars", "pydantic", "boto3", "pipeline", "airflow", "cv2", "onnx"}
    assert len(MODULES) > 8
    lean = [
        name
        for name in MODULES
        if f"{name.removeprefix('inference_runtime.').replace('.', '/')}.py"
        not in GPU_FILES | SDK_FILES.keys()
    ]
    assert not loaded_by(*lean) & heavy


def test_the_package_and_its_command_load_next_to_nothing() -> None:
    loaded = loaded_by("inference_runtime", "inference_runtime.__main__", "inference_runtime.errors")
    assert not loaded & {"numpy", "onnxruntime", "PIL", "asyncio"}


def test_what_is_installed_and_imported_stays_small() -> None:
    """The README promises 145 MB and 0.34 CPU-seconds; test_install.py installs it for real."""
    names = ("numpy", "onnxruntime", "pillow", "pybase64", "flatbuffers", "protobuf", "packaging")
    files = [file for name in names for file in distribution(name).files or ()]
    places = {Path(str(file.locate())) for file in files}
    installed = sum(place.stat().st_size for place in places if place.is_file())
    assert installed < 152e6, f"{installed / 1e6:.0f} MB"
    served = "inference_runtime.server, inference_runtime.engines.onnx"
    code = f"import time; import {served}; print(time.process_time())"
    spent = [float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    assert min(spent) < 0.7, f"{min(spent):.2f} CPU-seconds"


@pytest.mark.parametrize("file", sorted(ROOM.rglob("*.py")), ids=lambda file: str(file.relative_to(ROOM)))
def test_every_import_is_the_base_installation(file: Path) -> None:
    """Also those inside functions, which no import test would meet."""
    allowed = ALLOWED | EXTRAS.get(file.relative_to(ROOM).as_posix(), set())
    for node in ast.walk(ast.parse(file.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            names = [node.module or ""]
        for name in names:
            top = name.partition(".")[0]
            assert top in allowed or top in sys.stdlib_module_names, f"{file}:{node.lineno} imports {name}"
