"""What all commands share."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import blinkd
from blinkd.cli.main import app, config_first
from blinkd.cli.output import one_line

WORDS = st.sampled_from(["replay", "a.mov", "--json", "--record", "people", "list"])


@given(before=st.lists(WORDS, max_size=4), after=st.lists(WORDS, max_size=4))
def test_the_settings_file_may_stand_anywhere(before: list[str], after: list[str]) -> None:
    expected = ["--config", "x.toml", *before, *after]
    assert config_first([*before, "--config", "x.toml", *after]) == expected
    assert config_first([*before, "--config=x.toml", *after]) == ["--config=x.toml", *before, *after]


@given(words=st.lists(WORDS, max_size=6))
def test_without_a_settings_file_nothing_moves(words: list[str]) -> None:
    assert config_first(words) == words


def test_after_two_dashes_everything_is_a_value() -> None:
    assert config_first(["identify", "--", "--config", "x"]) == ["identify", "--", "--config", "x"]


def test_a_settings_file_without_its_name_is_left_for_the_parser_to_refuse() -> None:
    assert config_first(["replay", "--config"]) == ["replay", "--config"]


def test_details_are_printed_in_their_order() -> None:
    assert one_line({"b": 1, "a": "x y"}) == "b=1  a=x y"


@pytest.mark.parametrize(
    "verb",
    ["run", "demo", "replay", "enroll", "import", "identify", "embed", "log", "doctor", "bench"],
)
def test_every_verb_of_the_design_is_there(verb: str) -> None:
    from typer.main import get_command

    group: Any = get_command(app)
    assert verb in group.list_commands(None)
    assert group.get_command(None, verb) is not None


@pytest.mark.parametrize("verb", [["doctor"], ["relay", "run"]])
def test_a_package_that_is_missing_is_named_without_a_traceback(verb: list[str], tmp_path: Path) -> None:
    """A relay is installed without a terminal's packages, and a terminal without a relay's."""
    missing = "import sys; sys.modules['numpy'] = sys.modules['uvicorn'] = None; from blinkd.cli.main import main; main()"
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(blinkd.__file__).parents[1]),
        "BLINKD_STATE_DIR": str(tmp_path),
        "BLINKD_RELAY__HTTP_PORT": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", missing, *verb], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    assert re.search(r"needs the package (numpy|uvicorn), which is not installed here", done.stderr)
