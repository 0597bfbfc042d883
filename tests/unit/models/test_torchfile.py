import io
import os
import pickle
import struct
from collections import OrderedDict

import numpy as np
import pytest

from blinkd.errors import ModelError
from blinkd.models.torchfile import MAGIC, VERSION, read_tensors


class Storage:
    def __init__(self, key: str, kind: str, count: int) -> None:
        self.pid = ("storage", kind, key, "cpu", count, None)


def written(weights: dict[str, np.ndarray], extra: object = None) -> bytes:
    """A weights file as the training framework writes it, from hand-made pickle opcodes where it names its own functions."""

    class Named:
        """Pickles as a call of the framework's rebuilding function."""

        def __init__(self, key: str, array: np.ndarray) -> None:
            self.key, self.array = key, array

    file = io.BytesIO()
    for head in (MAGIC, VERSION, {"little_endian": True}):
        pickle.dump(head, file, protocol=2)
    file.write(b"\x80\x02ccollections\nOrderedDict\n)R")
    for name, array in weights.items():
        stride = tuple(int(np.prod(array.shape[axis + 1 :])) for axis in range(array.ndim))
        file.write(b"(" + text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(")
        file.write(b"(" + text("storage") + b"ctorch\nFloatStorage\n" + text(name) + text("cpu") + number(array.size) + b"NtQ")
        file.write(number(0) + tuple_of(array.shape) + tuple_of(stride) + b"\x89ccollections\nOrderedDict\n)RtR" + b"u")
    if extra is not None:
        file.write(b"(" + text("extra") + pickle.dumps(extra, protocol=2)[2:-1] + b"u")
    file.write(b".")
    pickle.dump(list(weights), file, protocol=2)
    for array in weights.values():
        file.write(struct.pack("<q", array.size) + array.astype("<f4").tobytes())
    return file.getvalue()


def text(value: str) -> bytes:
    raw = value.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(value: int) -> bytes:
    return b"J" + struct.pack("<i", value)


def tuple_of(values: tuple[int, ...]) -> bytes:
    return b"(" + b"".join(number(value) for value in values) + b"t"


WEIGHTS = {"module.a": np.arange(12, dtype=np.float32).reshape(3, 4), "module.b.weight": np.float32([[1.5]])}


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("true",)


def test_tensors_come_back_by_name_without_the_prefix() -> None:
    tensors = read_tensors(written(WEIGHTS))
    assert list(tensors) == ["a", "b.weight"]
    assert np.array_equal(tensors["a"], WEIGHTS["module.a"])
    assert tensors["a"].dtype == np.float32


def test_a_file_that_calls_anything_is_refused_before_it_runs() -> None:
    with pytest.raises(ModelError, match="which a file of weights does not need"):
        read_tensors(written(WEIGHTS, Evil()))


@pytest.mark.parametrize("keep", [0, 10, 60, 200, 320])
def test_a_torn_file_is_a_model_error(keep: int) -> None:
    content = written(WEIGHTS)
    assert keep < len(content)
    with pytest.raises(ModelError):
        read_tensors(content[:keep])


def test_another_kind_of_file_is_refused() -> None:
    with pytest.raises(ModelError):
        read_tensors(b"PK\x03\x04 a zip of a newer release")
    with pytest.raises(ModelError):
        read_tensors(pickle.dumps(OrderedDict()))
