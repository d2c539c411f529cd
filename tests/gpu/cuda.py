"""NVIDIA's driver, as far as the tests need it: no other library is taken."""

from __future__ import annotations

import ctypes
import uuid

NO_DEVICE = 100  # CUDA_ERROR_NO_DEVICE
NO_MEMORY = 2  # CUDA_ERROR_OUT_OF_MEMORY


class Failed(Exception):
    def __init__(self, function: str, code: int) -> None:
        self.code = code
        super().__init__(f"{function} answers {code}")


class Driver:
    """The GPUs that this process sees; with the first of them, if there is any, one can work."""

    def __init__(self) -> None:
        self._cuda = ctypes.CDLL("libcuda.so.1")
        self._call("cuInit", 0)
        count, device, context = ctypes.c_int(), ctypes.c_int(), ctypes.c_void_p()
        self._call("cuDeviceGetCount", ctypes.byref(count))
        self.count = count.value
        self._call("cuDeviceGet", ctypes.byref(device), 0)
        name = (ctypes.c_ubyte * 16)()
        self._call("cuDeviceGetUuid", name, device)
        self.name = f"GPU-{uuid.UUID(bytes=bytes(name))}"
        self._call("cuDevicePrimaryCtxRetain", ctypes.byref(context), device)
        self._call("cuCtxSetCurrent", context)

    def _call(self, function: str, *arguments: object) -> None:
        code = getattr(self._cuda, function)(*arguments)
        if code:
            raise Failed(function, code)

    def memory(self) -> tuple[int, int]:
        """Return how many bytes are free, and how many there are."""
        free, total = ctypes.c_size_t(), ctypes.c_size_t()
        self._call("cuMemGetInfo_v2", ctypes.byref(free), ctypes.byref(total))
        return free.value, total.value

    def take(self, size: int) -> None:
        """Take *size* bytes, and write to all of them; they are freed when this process ends."""
        place = ctypes.c_uint64()
        self._call("cuMemAlloc_v2", ctypes.byref(place), ctypes.c_size_t(size))
        self._call("cuMemsetD8_v2", place, ctypes.c_ubyte(1), ctypes.c_size_t(size))
        self._call("cuCtxSynchronize")
