"""Settings of a bundle come into the technician's file: what he wrote stays."""

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.errors import BundleRefused
from blinkd.fleet.fragment import MARK, merge, parse_fragment

SHIPPED = Path(__file__).parents[3] / "config" / "blinkd.toml"
KEYS = {"sync": ["broker", "origin_salt"], "camera": ["url", "device"], "terminal": ["timezone"]}
TEXTS = st.text(st.characters(exclude_characters="\x7f\r\n", exclude_categories=("Cs", "Cc")), max_size=20)
VALUES = st.fixed_dictionaries(
    {}, optional={section: st.dictionaries(st.sampled_from(keys), TEXTS, min_size=1) for section, keys in KEYS.items()}
)


def toml(values: dict[str, dict[str, str]]) -> str:
    return "".join(
        f"# a remark\n[{section}]\n" + "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}  # why\n" for key, value in table.items())
        for section, table in values.items()
    )


@given(VALUES, VALUES)
def test_what_was_set_stays_and_what_was_not_is_added(before: dict[str, dict[str, str]], wanted: dict[str, dict[str, str]]) -> None:
    merged = merge(toml(before), wanted)
    after = tomllib.loads(merged.text)
    for section, table in wanted.items():
        for key, value in table.items():
            assert after[section][key] == before.get(section, {}).get(key, value)
            assert (f"{section}.{key}" in merged.kept) == (before.get(section, {}).get(key, value) != value)
    for line in toml(before).splitlines():
        assert line in merged.text.splitlines(), "no line of the technician's is lost"
    assert merge(merged.text, wanted).text == merged.text, "the same again changes nothing"


@given(VALUES, VALUES)
def test_a_later_bundle_changes_what_a_bundle_has_set(first: dict[str, dict[str, str]], second: dict[str, dict[str, str]]) -> None:
    text = merge("", first).text
    after = tomllib.loads(merge(text, second).text)
    for section, table in second.items():
        assert table.items() <= after[section].items()


def test_the_shipped_file_keeps_every_line() -> None:
    text = SHIPPED.read_text(encoding="utf-8")
    merged = merge(text, {"sync": {"broker": "mqtt.example", "port": 8884}, "terminal": {"id": "door-1"}})
    assert tomllib.loads(merged.text) == {
        **tomllib.loads(text),
        "sync": {"broker": "mqtt.example", "port": 8884},
        "terminal": {"id": "door-1"},
    }
    assert [line for line in merged.text.splitlines() if not line.endswith(MARK)] == text.splitlines()
    assert merged.added == ("sync.broker", "sync.port", "terminal.id")


def test_whoever_takes_the_mark_away_owns_the_line() -> None:
    text = merge("", {"sync": {"broker": "one.example"}}).text
    merged = merge(text.replace(f"  {MARK}", ""), {"sync": {"broker": "two.example"}})
    assert (merged.kept, merged.added) == (("sync.broker",), ())
    assert "two.example" not in merged.text


@pytest.mark.parametrize(
    "text", ["sync = { port = 1 }\n", "sync.port = 1\n", "[camera]\nurl = '''\n[sync]\n'''\n", "[[sync]]\n", "sync = 3\n"]
)
def test_a_form_that_cannot_be_added_to_is_left_alone_and_the_lines_are_told(text: str) -> None:
    with pytest.raises(BundleRefused, match=r'yourself: sync\.broker = "mqtt\.example"'):
        merge(text, {"sync": {"broker": "mqtt.example"}})


def test_a_torn_file_is_not_added_to() -> None:
    with pytest.raises(BundleRefused, match="not valid TOML"):
        merge("[sync\n", {"sync": {"broker": "x"}})


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("state_dir = '/x'\n", "outside of a section"),
        ("[camera]\nfsp = 1\n", r"at 'camera\.fsp'.*did you mean 'camera\.fps'"),
        ("[novelty]\nzzz = 1\n", "newer blinkd"),
        ("[terminal]\nid = 'door-9'\n", "which terminal it is for"),
        ("[camera]\nfps = 1\nfps = 2\n", "no TOML"),
        ("[camera]\nurl = 1979-05-27\n", "cannot be set by a bundle"),
    ],
)
def test_settings_that_a_bundle_may_not_bring_are_named(text: str, words: str) -> None:
    with pytest.raises(BundleRefused, match=words):
        parse_fragment(text)
