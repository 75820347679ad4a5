"""Runs our TensorRT code against the signatures of real bindings: `tensorrt_contract.py TARGET MAJOR WHAT`.

The bindings name every class, argument and kind in their docstrings, and import with libraries that hold
nothing but the symbols they ask for. So stand-ins made of those docstrings refuse what TensorRT would refuse.
"""

import ctypes
import importlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

SYMBOLS = {
    "libnvinfer": (
        *("createInferBuilder_INTERNAL", "createInferRefitter_INTERNAL", "createInferRuntime_INTERNAL"),
        *("getBuilderPluginRegistry", "getPluginRegistry"),
    ),
    "libnvinfer_plugin": ("initLibNvInferPlugins",),
    "libnvonnxparser": (
        *("createNvOnnxParser_INTERNAL", "createNvOnnxParserRefitter_INTERNAL"),
        "getNvOnnxParserVersion",
    ),
}
VALUES = {"shape": (-1, 32, 32, 3), "name": "pixels", "num_errors": 0}
KINDS = {
    "str": lambda value: isinstance(value, str),
    "bool": lambda value: isinstance(value, bool),
    "tuple": lambda value: isinstance(value, tuple),
    "typing.SupportsInt": lambda value: hasattr(value, "__int__"),
    "typing_extensions.Buffer": lambda value: isinstance(value, bytes | bytearray),
    "Dims": lambda value: isinstance(value, tuple) and all(isinstance(side, int) for side in value),
}
ANSWERS = {"None": None, "bool": True, "int": 0, "str": "said", "IHostMemory": b"plan"}


def bindings(target: Path, major: str) -> Any:
    for library, names in SYMBOLS.items():
        file = target / f"{library}.so.{major}"
        source = file.with_suffix(".c")
        source.write_text("".join(f"void *{name}(void) {{ return 0; }}\n" for name in names))
        command = ["gcc", "-shared", "-fPIC", f"-Wl,-soname,{file.name}", "-o", str(file), str(source)]
        subprocess.run(command, check=True)
        ctypes.CDLL(str(file), mode=ctypes.RTLD_GLOBAL)
    sys.path.insert(0, str(target))
    return importlib.import_module("tensorrt_bindings")


class Module:
    """The module tensorrt, whose classes make stand-ins."""

    def __init__(self, real: Any) -> None:
        self.real, self.calls = real, []

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.real, name)
        if not isinstance(found, type) or hasattr(found, "__members__") or name == "Logger":
            return found
        return lambda *args, **named: self.made(found, args, named)

    def made(self, kind: type, args: Any, named: Any) -> "Thing":
        checked(self, kind, "__init__", args, named)
        return Thing(self, kind)


class Thing:
    def __init__(self, module: Module, kind: type) -> None:
        self._module, self._kind = module, kind

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._kind, name)
        if isinstance(found, property):
            return VALUES[name]
        return lambda *args, **named: checked(self._module, self._kind, name, args, named)


def checked(module: Module, kind: type, name: str, args: tuple[Any, ...], named: dict[str, Any]) -> Any:
    said = getattr(kind, name).__doc__
    for parameters, answer in re.findall(rf"{name}\(self: [\w.]+(.*)\) -> (\S+)", said):
        if fits(parameters, args, dict(named)):
            module.calls.append(f"{kind.__name__}.{name}")
            return answered(module, answer)
    raise TypeError(f"{kind.__name__}.{name}{args}{named} fits none of: {said}")


def fits(parameters: str, args: tuple[Any, ...], named: dict[str, Any]) -> bool:
    left = list(args)
    for name, kind, default in re.findall(r", (\w+): ([\w.]+(?:\[.*?\])?)( = )?", parameters):
        if not left and name not in named:
            if not default:
                return False
            continue
        if not of_kind(left.pop(0) if left else named.pop(name), kind):
            return False
    return not left and not named


def of_kind(value: Any, kind: str) -> bool:
    short = kind.rpartition("bindings.tensorrt.")[2]
    if short in KINDS:
        return bool(KINDS[short](value))
    own = value._kind if isinstance(value, Thing) else type(value)
    return short in [one.__name__ for one in own.__mro__]


def answered(module: Module, answer: str) -> Any:
    short = answer.rpartition("bindings.tensorrt.")[2]
    if short in ANSWERS:
        return ANSWERS[short]
    return Thing(module, getattr(module.real, short.replace("nvonnxparser::I", "")))


class Device:
    """A GPU that takes everything."""

    stream = 72

    def allocate(self, size: int) -> int:
        return size

    def nothing(self, *_: Any) -> None: ...

    enter = upload = download = nothing


def build(trt: Any, target: Path) -> None:
    from inference_runtime.engines import plan

    shapes = {"max_batch": 16, "usual_batch": 1, "workspace_mib": 64}
    files = {"model": str(target / "model.onnx"), "timings": str(target / "timings")}
    assert plan.built(trt, files | shapes) == b"plan"
    assert plan.built(trt, files | shapes) == b"plan"  # with the timings of the first


def execute(trt: Any, target: Path) -> None:
    import numpy as np

    from inference_runtime.engines.tensorrt import Executed

    (target / "a.plan").write_bytes(b"plan")
    engine = Executed(trt, target / "a.plan", Device(), (32, 32, 3), most=2)
    assert engine.logits(np.zeros((5, 32, 32, 3), np.uint8)).shape == (5,)


def old_flag(trt: Any, _: Path) -> None:
    trt.Builder(trt.Logger()).create_builder_config().set_flag(trt.BuilderFlag.FP16)


def wrong_kind(trt: Any, _: Path) -> None:
    trt.Builder(trt.Logger()).create_network("strongly typed")


def wrong_count(trt: Any, _: Path) -> None:
    trt.Builder(trt.Logger()).create_builder_config().set_memory_pool_limit(64)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    tensorrt = Module(bindings(folder, sys.argv[2]))
    globals()[sys.argv[3]](tensorrt, folder)
    print(json.dumps(sorted(set(tensorrt.calls))))
