"""Reads the tensors of a PyTorch weights file without PyTorch, and without running anything that the file holds.

A .pth file of the older form is a row of pickles (magic number, version, machine, the tensors' names and places, the storages' keys)
and then each storage as a count and raw little-endian numbers. A pickle may call any function of the program that reads it, so this
reader knows the four names that a file of weights needs and refuses every other.
"""

import io
import pickle
import struct
from collections import OrderedDict
from typing import Any

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError

Tensors = dict[str, npt.NDArray[np.float32]]

MAGIC = 0x1950A86A20F9469CFC6C
VERSION = 1001
DTYPES = {"FloatStorage": "<f4", "LongStorage": "<i8"}


class _Place:
    """A tensor before its numbers are known: the storage's key and type, offset and shape."""

    def __init__(self, storage: tuple[str, str, int], offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> None:
        self.key, self.kind, self.count = storage
        self.offset, self.shape, self.stride = offset, shape, stride


def _rebuild(
    storage: tuple[str, str, int], offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_more: object
) -> _Place:  # the rest says whether gradients were wanted
    return _Place(storage, offset, shape, stride)


class _Unpickler(pickle.Unpickler):
    """Knows the names below and nothing else."""

    def find_class(self, module: str, name: str) -> Any:  # noqa: ANN401  as the base class has it
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in DTYPES:
            return name
        raise pickle.UnpicklingError(f"names {module}.{name}, which a file of weights does not need")

    def persistent_load(self, pid: Any) -> tuple[str, str, int]:  # noqa: ANN401  as the base class has it
        what, kind, key, _device, count, *_view = pid
        if what != "storage" or kind not in DTYPES:
            raise pickle.UnpicklingError(f"holds a {what} of {kind}")
        return str(key), str(kind), int(count)


def read_tensors(content: bytes) -> Tensors:
    """Return the float32 tensors by name, without the prefix `module.` that parallel training leaves; counters are left out.

    Raises ModelError when the bytes are no such file, are torn, or name anything but weights.
    """
    file = io.BytesIO(content)
    try:
        magic, version = (_Unpickler(file).load() for _ in range(2))
        if magic != MAGIC or version != VERSION:
            raise ModelError("no PyTorch weights file of the older form; use the pinned package")
        _Unpickler(file).load()  # the machine's byte order, always little in practice and checked by the numbers' use below
        named: OrderedDict[str, _Place] = _Unpickler(file).load()
        keys: list[str] = _Unpickler(file).load()
        kinds = {place.key: place.kind for place in named.values()}
        storages = {}
        for key in keys:
            (count,) = struct.unpack("<q", file.read(8))
            dtype = np.dtype(DTYPES[kinds[key]])
            storages[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype, count)
    except (pickle.UnpicklingError, EOFError, struct.error, KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise ModelError(f"the PyTorch weights cannot be read: {error}; the file is torn or another one: use the pinned package") from error
    return {
        name.removeprefix("module."): _tensor(storages[place.key], place) for name, place in named.items() if place.kind == "FloatStorage"
    }


def _tensor(storage: npt.NDArray[Any], place: _Place) -> npt.NDArray[np.float32]:
    size = int(np.prod(place.shape))
    contiguous = tuple(int(np.prod(place.shape[axis + 1 :])) for axis in range(len(place.shape)))
    if tuple(place.stride) != contiguous or place.offset + size > len(storage):
        raise ModelError("a PyTorch tensor is not stored in one piece; use the pinned package")
    return np.array(storage[place.offset : place.offset + size].reshape(place.shape), np.float32)
