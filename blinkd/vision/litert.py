"""One thin wrapper over LiteRT, the runtime of the MediaPipe networks."""

import io
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError

BANNER = b"XNNPACK delegate"


class LiteNetwork:
    """A .tflite network with one input, run on the CPU.

    content: the file's bytes, already verified by the manifest. Raises ModelError when the runtime refuses them.
    """

    def __init__(self, name: str, content: bytes, threads: int) -> None:
        # imported late: 40 MB that commands without vision need not pay
        from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

        try:
            with _without_banner():
                self._interpreter = Interpreter(model_content=content, num_threads=threads)
                self._interpreter.allocate_tensors()
        except (ValueError, RuntimeError) as error:
            raise ModelError(f"network {name}: LiteRT cannot load it ({error}); run: blinkd models verify") from error
        self._input = self._interpreter.get_input_details()[0]
        self._outputs = {str(output["name"]): int(output["index"]) for output in self._interpreter.get_output_details()}
        self.input_shape = tuple(int(size) for size in self._input["shape"])

    def run(self, tensor: npt.NDArray[np.float32]) -> dict[str, npt.NDArray[np.float32]]:
        """Run once; tensor has `input_shape`. Returns each output by its name, as copies."""
        self._interpreter.set_tensor(self._input["index"], tensor)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(index) for name, index in self._outputs.items()}


def bundle_members(path: Path, content: bytes, names: tuple[str, ...]) -> dict[str, bytes]:
    """Return members of a MediaPipe .task bundle (a zip). Raises ModelError naming the file."""
    try:
        with ZipFile(io.BytesIO(content)) as bundle:
            return {name: bundle.read(name) for name in names}
    except (BadZipFile, KeyError) as error:
        raise ModelError(f"{path}: not the face landmarker bundle ({error}); run: blinkd models build face_landmarker") from error


@contextmanager
def _without_banner() -> Iterator[None]:
    """Keep LiteRT's line about its XNNPACK delegate off the user's screen; its C++ side offers no switch. Other lines are passed on."""
    sys.stderr.flush()
    original = os.dup(2)
    try:
        with tempfile.TemporaryFile() as captured:
            os.dup2(captured.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(original, 2)
            captured.seek(0)
            for line in captured:
                if BANNER not in line:
                    os.write(2, line)
    finally:
        os.close(original)
