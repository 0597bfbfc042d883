"""Every language says everything, with the same things filled in."""

import re
from pathlib import Path
from typing import get_args

import pytest

from blinkd.errors import ConfigError
from blinkd.liveness.challenge import STEPS
from blinkd.session.events import RefusalReason
from blinkd.web.languages import codes, load_language

FILLED_IN = re.compile(r"\{(\w+)\}")
ENGLISH = load_language("en")


def test_the_languages_of_the_display_are_there() -> None:
    assert codes() == ["ar", "en", "es"]
    assert [load_language(code).direction for code in codes()] == ["rtl", "ltr", "ltr"]


@pytest.mark.parametrize("code", codes())
def test_a_language_has_every_text_and_fills_in_the_same(code: str) -> None:
    found = load_language(code)
    assert {name: set(section) for name, section in found.texts.items()} == {name: set(section) for name, section in ENGLISH.texts.items()}
    for name, section in found.texts.items():
        for key, text in section.items():
            assert text.strip(), key
            assert set(FILLED_IN.findall(text)) == set(FILLED_IN.findall(ENGLISH.texts[name][key])), key


@pytest.mark.parametrize("reason", [*get_args(RefusalReason), "other"])
def test_every_refusal_has_its_own_words_and_says_what_to_do(reason: str) -> None:
    texts = ENGLISH.texts["kiosk"]
    assert texts[f"refused_{reason}"]
    assert texts[f"refused_{reason}_do"]


def test_every_step_of_a_challenge_has_its_words() -> None:
    assert [step for step in STEPS if step not in ENGLISH.texts["kiosk"]] == []


@pytest.mark.parametrize("code", ["xx", "../../../etc/passwd", ""])
def test_a_language_that_there_is_not_is_refused_with_those_that_there_are(code: str) -> None:
    with pytest.raises(ConfigError, match="there are ar, en, es"):
        load_language(code)


def test_a_file_that_cannot_be_used_says_which_one_shows_the_form(tmp_path: Path) -> None:
    for content in ("name = ", 'name = "x"\n'):
        (tmp_path / "de.toml").write_text(content)
        with pytest.raises(ConfigError, match=r"en\.toml shows the form"):
            load_language("de", tmp_path)
