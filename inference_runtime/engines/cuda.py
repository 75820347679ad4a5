"""As much of NVIDIA's driver as an engine needs: memory, copies, a stream. No package, only the library."""

import ctypes
from functools import cache
from typing import Any

from inference_runtime.errors import Fixable

LIBRARY = "libcuda.so.1"
_MAJOR, _MINOR = 75, 76  # attributes of a device
_NON_BLOCKING = 1


@cache
def driver() -> ctypes.CDLL:
    """The driver, started; Fixable on a machine that has none, or no GPU."""
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError:
        raise _absent("no NVIDIA driver here") from None
    count = ctypes.c_int(0)
    if library.cuInit(0) != 0 or library.cuDeviceGetCount(ctypes.byref(count)) != 0 or count.value == 0:
        raise _absent("the NVIDIA driver finds no GPU")
    return library


def _absent(why: str) -> Fixable:
    return Fixable(f"tensorrt: {why}; use the engine onnx, or run where an NVIDIA GPU is")


def called(name: str, *arguments: Any) -> None:
    if status := getattr(driver(), name)(*arguments):
        raise RuntimeError(f"CUDA: {name} answered {status}")


def gpu() -> str:
    """The name and the compute capability of the first GPU: what a plan is built for."""
    device, name = ctypes.c_int(), ctypes.create_string_buffer(128)
    called("cuDeviceGet", ctypes.byref(device), 0)
    called("cuDeviceGetName", name, len(name), device)
    major, minor = ctypes.c_int(), ctypes.c_int()
    called("cuDeviceGetAttribute", ctypes.byref(major), _MAJOR, device)
    called("cuDeviceGetAttribute", ctypes.byref(minor), _MINOR, device)
    return f"{name.value.decode()} sm_{major.value}{minor.value}"


class Device:
    """The first GPU with a stream of our own; what is allocated stays for as long as the process does."""

    def __init__(self) -> None:
        device = ctypes.c_int()
        self._context, self._stream = ctypes.c_void_p(), ctypes.c_void_p()
        called("cuDeviceGet", ctypes.byref(device), 0)
        # The primary context is the one that TensorRT and torch use, too.
        called("cuDevicePrimaryCtxRetain", ctypes.byref(self._context), device)
        self.enter()
        called("cuStreamCreate", ctypes.byref(self._stream), _NON_BLOCKING)

    @property
    def stream(self) -> int:
        return int(self._stream.value or 0)

    def enter(self) -> None:
        """A context belongs to a thread; whoever calls from another one enters first."""
        called("cuCtxSetCurrent", self._context)

    def allocate(self, size: int) -> int:
        address = ctypes.c_uint64()
        called("cuMemAlloc_v2", ctypes.byref(address), ctypes.c_size_t(size))
        return address.value

    def upload(self, address: int, array: Any) -> None:
        source = ctypes.c_void_p(array.ctypes.data)
        called(
            "cuMemcpyHtoDAsync_v2",
            ctypes.c_uint64(address),
            source,
            ctypes.c_size_t(array.nbytes),
            self._stream,
        )

    def download(self, array: Any, address: int) -> None:
        """Waits until all that was asked of the stream is done."""
        target = ctypes.c_void_p(array.ctypes.data)
        called(
            "cuMemcpyDtoHAsync_v2",
            target,
            ctypes.c_uint64(address),
            ctypes.c_size_t(array.nbytes),
            self._stream,
        )
        called("cuStreamSynchronize", self._stream)
