"""install.sh: what it says and returns before it changes anything."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    folder = tmp_path / "check out"  # a blank in the path, as some people have
    folder.mkdir()
    for name in ("install.sh", "requirements.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    return folder


def run(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [checkout / "install.sh", *arguments],
        cwd="/",
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def os_release(folder: Path, system: str, version: str) -> str:
    path = folder / "os-release"
    path.write_text(f'PRETTY_NAME="{system.title()} {version}"\nID={system}\nVERSION_ID="{version}"\n')
    return str(path)


@pytest.mark.parametrize("arguments", [(), ("frobnicate",), ("setup", "no-such-section")])
def test_wrong_usage_exits_2_and_touches_nothing(checkout: Path, arguments: tuple[str, ...]) -> None:
    result = run(checkout, *arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "there are:" in result.stderr or "usage: ./install.sh VERB" in result.stderr
    assert sorted(path.name for path in checkout.iterdir()) == ["install.sh", "pyproject.toml", "requirements.lock"]


def test_help_names_every_verb_and_exits_0(checkout: Path) -> None:
    result = run(checkout, "help")
    assert result.returncode == 0
    for verb in ("demo", "test", "setup", "lock", "help"):
        assert f"\n  {verb} " in result.stdout


@pytest.mark.parametrize(("system", "version"), [("fedora", "40"), ("debian", "11"), ("ubuntu", "20.04"), ("raspbian", "12")])
def test_an_unsupported_system_is_refused_by_name_before_anything_is_made(
    checkout: Path, tmp_path: Path, system: str, version: str
) -> None:
    result = run(checkout, "setup", OS_RELEASE_FILE=os_release(tmp_path, system, version))
    assert result.returncode == 1
    assert f"{system.title()} {version} is not supported" in result.stderr
    assert "remedy: use Debian 12" in result.stderr
    assert not (checkout / ".venv").exists()


def test_an_environment_that_someone_else_made_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    theirs = checkout / ".venv" / "theirs"
    theirs.parent.mkdir()
    theirs.write_text("precious")
    result = run(checkout, "setup", "terminal", OS_RELEASE_FILE=os_release(tmp_path, "debian", "12"))
    assert result.returncode == 1
    assert "was not made by install.sh" in result.stderr
    assert theirs.read_text() == "precious"


def test_the_lock_file_names_each_package_in_one_section_only_with_hashes_and_no_address() -> None:
    section, owner, hashes = "", {}, {}
    for line in (ROOT / "requirements.lock").read_text().splitlines():
        if line.startswith("#: "):
            section = line.removeprefix("#: ")
        elif "==" in line:
            name = line.split("==", maxsplit=1)[0]
            assert owner.setdefault(name, section) == section, f"{name} stands in {owner[name]} and in {section}"
            hashes[name] = 0
        elif "--hash=sha256:" in line:
            hashes[name] += 1
        assert "://" not in line
    assert set(owner.values()) == {"backend", "terminal", "relay", "web", "demo", "pi", "build", "dev", "lock"}
    assert all(hashes.values())
    assert owner["onnxruntime"] == "terminal"
    assert owner["amqtt"] == "demo"
    assert owner["mediapipe"] == owner["pytest"] == "dev"
    assert not {"opencv-contrib-python", "opencv-python", "sounddevice"} & owner.keys()


FOR_MACHINE = r"""
set -euo pipefail
source <(sed -n '/^for_machine() /,/^}/p' "$1")
for_machine "$2" aarch64
"""
LOCKED = """\
numpy==2.4.6 ; python_full_version < '3.12' and sys_platform == 'linux' \\
    --hash=sha256:aa \\
    --hash=sha256:bb
numpy==2.5.5 ; python_full_version >= '3.12' and sys_platform == 'linux' \\
    --hash=sha256:cc
lgpio==0.2 ; python_full_version < '3.13' \\
    --hash=sha256:dd
colorama==0.4 ; sys_platform == 'win32' \\
    --hash=sha256:ee

#: web
six==1 \\
    --hash=sha256:ff
"""


@pytest.mark.parametrize(
    ("version", "wanted"),
    [
        ("3.11", "numpy==2.4.6 aa bb lgpio==0.2 dd six==1 ff"),
        ("3.12", "numpy==2.5.5 cc lgpio==0.2 dd six==1 ff"),
        ("3.13", "numpy==2.5.5 cc six==1 ff"),
    ],
)
def test_wheels_for_another_machine_are_those_that_the_lock_file_has_for_its_python(version: str, wanted: str) -> None:
    done = subprocess.run(
        ["bash", "-c", FOR_MACHINE, "bash", ROOT / "install.sh", version],
        env={**os.environ, "VENV": sys.prefix},
        input=LOCKED,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.replace("--hash=sha256:", "").replace("\\", "").split() == wanted.split()
