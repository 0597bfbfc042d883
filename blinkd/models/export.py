"""Writes a network in onnxruntime's own format."""

import tempfile
from pathlib import Path

from blinkd.errors import ModelError
from blinkd.models.manifest import Manifest, Precision
from blinkd.models.runtime import import_onnxruntime, session_options


def export_ort(manifest: Manifest, name: str, precision: Precision, target: Path) -> None:
    """Write onnxruntime's own format to `target`, optimised for this very machine; atomically. Raises ModelError.

    It starts faster and needs no ONNX parser; it is worth nothing on another kind of processor or release of onnxruntime.
    """
    model = manifest.verified(name, precision)
    if model.path.suffix != ".onnx":
        raise ModelError(f"{model.path}: only .onnx networks can be exported; name one: blinkd models list")
    try:
        with tempfile.TemporaryDirectory(prefix="tmp-", dir=target.parent) as folder:
            made = Path(folder) / target.name
            options = session_options(threads=1)
            options.optimized_model_filepath = str(made)
            options.add_session_config_entry("session.save_model_format", "ORT")
            import_onnxruntime().InferenceSession(model.content, options, providers=["CPUExecutionProvider"])
            made.replace(target)
    except OSError as error:
        raise ModelError(f"{target}: cannot be written: {error.strerror}; name another place with --out") from error
