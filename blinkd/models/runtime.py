"""onnxruntime, imported late (20 MB that commands without vision need not pay) and without its telemetry."""

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from blinkd.errors import ModelError


class SessionInput(Protocol):
    """One input of a session."""

    name: str


class Session(Protocol):
    """The part of onnxruntime.InferenceSession that is used."""

    def get_inputs(self) -> Sequence[SessionInput]:
        """Describe the inputs."""

    def run(self, output_names: Sequence[str] | None, input_feed: dict[str, npt.NDArray[np.float32]]) -> Sequence[npt.NDArray[np.float32]]:
        """Run once; None asks for all outputs."""


def import_onnxruntime() -> Any:  # noqa: ANN401  the package has no types
    """Return the module onnxruntime; newer releases send telemetry and write below ~/.cache unless told not to before the import."""
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    return importlib.import_module("onnxruntime")


def session_options(threads: int) -> Any:  # noqa: ANN401
    """Options of every session: so many threads, which sleep while they wait, since the box is passively cooled."""
    options = import_onnxruntime().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    return options


def open_session(path: Path, content: bytes, threads: int) -> Session:
    """Open a network from its verified bytes; `path` is for messages. Raises ModelError when onnxruntime refuses it."""
    onnxruntime = import_onnxruntime()
    state = importlib.import_module("onnxruntime.capi.onnxruntime_pybind11_state")
    refusals = (
        state.Fail,
        state.InvalidGraph,
        state.InvalidProtobuf,
        state.InvalidArgument,
        state.NoModel,
        state.NotImplemented,
        RuntimeError,
    )
    try:
        session: Session = onnxruntime.InferenceSession(content, session_options(threads), providers=["CPUExecutionProvider"])
    except refusals as error:
        raise ModelError(f"{path}: onnxruntime cannot load it ({error}); run: blinkd models verify") from error
    return session
