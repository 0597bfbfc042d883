"""Runs the modules of this folder as processes of their own, where SQLite's file layer may be changed."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PATIENCE_S = 600.0


def run_all(module: str, arguments: list[list[str]]) -> list[Any]:
    """Run one process for each list of arguments, all at once; returns the JSON value that each prints. Fails with what one says."""
    # of one thread, because only such processes may fork without a warning; numpy would start more
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen(
            [sys.executable, "-m", f"tests.integration.durability.{module}", *words],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for words in arguments
    ]
    ended = [(process, *process.communicate(timeout=PATIENCE_S)) for process in running]
    for process, said, complained in ended:
        assert process.returncode == 0, complained[-4000:] + said[-1000:]
    return [json.loads(said) for _, said, _ in ended]
