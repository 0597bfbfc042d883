"""Whether blinkd works on arm64, without a board: every wheel of a release is there for each Python, and all of it runs on an imitated Pi 4.

    sudo .venv/bin/python -m tests.integration.arm64 [--whole]

The wheels of Python 3.11 are unpacked beside Debian's arm64 files, and QEMU runs them: every module of blinkd is imported, an embedding is compared
with this machine's, and with --whole a recording checks a man in (two minutes more). It proves that it works, not how fast. Needs root for
debootstrap, and qemu-user-static; files are kept in ${BLINKD_CACHE_DIR:-~/.cache/blinkd}/arm64. Exit 0 only if all of it ended well.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from blinkd.cli.output import console
from blinkd.models.media import fetch_media
from tests.integration.arm64.emulated import PYTHON, Emulated, root, unpack

T = TypeVar("T")

CHECKOUT = Path(__file__).parents[3]
PYTHONS = ("3.11", "3.12", "3.13")
ALIKE = {"int8": 0.99, "fp32": 0.9999}  # cosine with this machine's embedding: ARM's kernels round INT8 otherwise
BOARD = ("lgpio", "simplejpeg", "psycopg")  # that no module of ours imports at once
NOT_THERE = {"amqtt"}  # the broker of `demo --sync`, which only a checkout has
IMPORT_ALL = f"""
import importlib, pkgutil, blinkd
names = [one.name for one in pkgutil.walk_packages(blinkd.__path__, "blinkd.") if not one.name.endswith("__main__")]
for name in [*names, *{BOARD!r}]:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in {NOT_THERE!r}:
            raise
print(len(names))
"""


def main() -> int:
    """Run the steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--whole", action="store_true")
    whole = parser.parse_args().whole
    cache = Path(os.environ.get("BLINKD_CACHE_DIR") or Path.home() / ".cache" / "blinkd") / "arm64"
    media = fetch_media()
    for version in PYTHONS:
        _timed(f"wheels for Python {version}", partial(_wheels, cache, version))
    machine = _timed("Debian's arm64 files", partial(root, cache))
    site = _timed("wheels unpacked", partial(unpack, cache / f"wheels-{PYTHON}", cache / "site"))
    with tempfile.TemporaryDirectory() as state:

        def board(precision: str = "auto") -> Emulated:
            own = {"BLINKD_STATE_DIR": state, "BLINKD_VISION__PRECISION": precision}
            return Emulated(machine, [site, CHECKOUT], own)

        count = _timed("every module imported", partial(board().run, "-c", IMPORT_ALL))
        console().print(f"  {count.strip()} modules", markup=False)
        for precision, least in ALIKE.items():
            arguments = ("-m", "blinkd", "embed", str(media / "single_face.jpg"), "--json")
            there = json.loads(_timed(f"an embedding, {precision}", partial(board(precision).run, *arguments)))
            variables = os.environ | {"BLINKD_STATE_DIR": state, "BLINKD_VISION__PRECISION": precision}
            here = json.loads(subprocess.run([sys.executable, *arguments], env=variables, check=True, capture_output=True).stdout)
            cosine = float(np.dot(there["embedding"], here["embedding"]))
            console().print(f"  cosine with this machine's: {cosine:.5f}", markup=False)
            assert there["model_precision"] == here["model_precision"] == precision
            assert cosine >= least, f"{precision}: {cosine}"
        if whole:
            enrol = ("enroll", "--name", "Sam Sample", "--id", "E-1001", "--image", str(media / "single_face.jpg"))
            _timed("a man is enrolled", partial(board().run, "-m", "blinkd", *enrol))
            events = _timed(
                "a recording checks him in", partial(board().run, "-m", "blinkd", "replay", "--json", str(media / "noface_face.mov"))
            )
            (punch,) = [event for event in map(json.loads, events.splitlines()) if event["event"] == "punch"]
            assert (punch["person_id"], punch["status"]) == ("E-1001", "CHECK_IN"), punch
    return 0


def _wheels(cache: Path, version: str) -> None:
    folder = cache / f"wheels-{version}"
    command = [CHECKOUT / "install.sh", "wheelhouse", folder, "--arch", "aarch64", "--python", version]
    subprocess.run(command, check=True, capture_output=True, text=True)


def _timed(what: str, work: Callable[[], T]) -> T:
    began = time.monotonic()
    try:
        result = work()
    except subprocess.CalledProcessError as error:
        console().print(f"{what}: FAILED\n{error.stdout}{error.stderr}", markup=False)
        raise
    console().print(f"{what:<60}{time.monotonic() - began:7.1f} s  ok", markup=False)
    return result


if __name__ == "__main__":
    sys.exit(main())
