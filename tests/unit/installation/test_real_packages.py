"""A release made by the real Python and pip from a folder of wheels: hashes count, nothing is fetched, nothing can be added later."""

import base64
import hashlib
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.unit.installation.machine import Machine

# Builds the stand-in's wheel without any package: pip calls it as it calls hatchling
BACKEND = """
import zipfile
from pathlib import Path

def build_wheel(folder, settings=None, metadata=None):
    name = "blinkd-1.0.0-py3-none-any.whl"
    info = "blinkd-1.0.0.dist-info"
    with zipfile.ZipFile(Path(folder) / name, "w") as wheel:
        for path in sorted(Path("blinkd").glob("*.py")):
            wheel.write(path)
        wheel.write("blinkd/program", "blinkd-1.0.0.data/scripts/blinkd")
        wheel.writestr("blinkd-1.0.0.data/data/share/blinkd/models/manifest.toml", "")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: blinkd\\nVersion: 1.0.0\\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nGenerator: test\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""
PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n[project]\nname = "blinkd"\nversion = "1.0.0"\n'


def write_wheel(folder: Path) -> Path:
    """A package `tiny` with one module."""
    files = {
        "tiny.py": "WORD = 'here'\n",
        "tiny-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n",
        "tiny-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    for name, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        record += f"{name},sha256={digest},{len(text)}\n"
    folder.mkdir()
    path = folder / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
        wheel.writestr("tiny-1.0.dist-info/RECORD", f"{record}tiny-1.0.dist-info/RECORD,,\n")
    return path


@pytest.fixture
def wheel(machine: Machine, tmp_path: Path) -> Path:
    """The only wheel of the folder; the checkout asks for it by its hash, and Python is the real one."""
    path = write_wheel(tmp_path / "wheels of mine")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (machine.programs / "python3").write_text('#!/bin/sh\nexec "$REAL_PYTHON" "$@"\n')
    checkout = machine.checkout
    (checkout / "requirements.lock").write_text(f"#: backend\n\n#: terminal\ntiny==1.0 \\\n    --hash=sha256:{digest}\n\n#: relay\n")
    (checkout / "pyproject.toml").write_text(PROJECT)
    (checkout / "backend.py").write_text(BACKEND)
    (checkout / "blinkd/errors.py").write_text("class BlinkdError(Exception): ...\n")
    (checkout / "blinkd/settings_file.py").write_text("def load_settings(path): return path.read_text()\n")
    return path


def test_a_release_is_made_from_a_folder_of_wheels_and_holds_no_installer(machine: Machine, wheel: Path) -> None:
    machine.done("install", "--offline", str(wheel.parent), PIP_INDEX_URL="http://127.0.0.1:9/nobody-listens")
    python = machine.root / "opt/blinkd/current/bin/python"
    assert (
        subprocess.run([python, "-c", "import tiny, blinkd; print(tiny.WORD)"], capture_output=True, text=True, check=True).stdout
        == "here\n"
    )
    assert subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode == 1
    assert "FAIL" not in machine.run("check").stdout


def test_a_wheel_that_is_not_the_one_of_the_lock_file_is_refused(machine: Machine, wheel: Path) -> None:
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("more.py", "")
    result = machine.run("install", "--offline", str(wheel.parent))
    assert result.returncode == 1
    assert "DO NOT MATCH THE HASHES" in result.stderr
    assert not (machine.root / "opt/blinkd/current").exists()
