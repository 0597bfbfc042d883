"""The words that Home Assistant is told, by its own rules."""

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blinkd.errors import ConfigError
from blinkd.outputs.discovery import STATE_MOST, Topics, device, happened, object_id, state
from blinkd.outputs.port import Health, PartHealth
from blinkd.session.events import Event
from blinkd.settings_file import load_settings

TERMINALS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True)
TOPICS = Topics.of("homeassistant", "door-1")


@given(TERMINALS)
def test_an_object_id_has_only_letters_that_home_assistant_takes(terminal: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", object_id(terminal))


@given(TERMINALS, TERMINALS)
def test_different_terminals_are_different_devices(one: str, other: str) -> None:
    assert (object_id(one) == object_id(other)) == (one == other)


@pytest.mark.parametrize(("one", "other"), [("a.b", "a_b"), ("a.b", "a_-b"), ("a_.b", "a__-b"), ("a-b", "a.b")])
def test_ids_that_differ_by_their_signs_only_stay_different(one: str, other: str) -> None:
    assert object_id(one) != object_id(other)


def described(*, door: bool) -> dict[str, Any]:
    entities: dict[str, Any] = device(TOPICS, "door-1", door=door)["components"]
    return entities


def test_every_entity_can_be_told_apart_and_says_when_it_is_not_available() -> None:
    entities = described(door=True)
    assert len({entity["unique_id"] for entity in entities.values()}) == len(entities)
    assert {key for key, entity in entities.items() if entity.get("availability_topic") != TOPICS.available} == {"connected"}
    assert entities["connected"]["state_topic"] == TOPICS.available


def test_every_reading_is_a_member_of_the_state() -> None:
    shown = state(Health((), 0.0, 0, 0, 0, 0, None), None, "home_assistant")
    for entity in described(door=True).values():
        for key in ("value_template", "json_attributes_template", "last_reset_value_template"):
            if found := re.search(r"value_json\.(\w+)", entity.get(key, "")):
                assert found[1] in shown


def test_words_are_cut_to_what_home_assistant_takes_as_a_state() -> None:
    door = PartHealth("door", "failed", "x" * 1000)
    assert len(state(Health((door,), 0.0, 0, 0, 0, 0, None), None, "home_assistant")["door"]) == STATE_MOST


@pytest.mark.parametrize("kind", ["session_started", "blink", "identified", "liveness", "session_ended"])
@pytest.mark.parametrize("names", [False, True])
def test_what_is_no_decision_is_not_told(kind: str, names: bool) -> None:
    assert happened(Event(1.0, 1, kind, {"name": "Ann", "person_id": "E-1"}), names=names) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("topic", ["", "a/+/b", "#", "/a", "$SYS/a", "a b"])
def test_topics_with_wild_cards_are_refused_in_words(topic: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_HOME_ASSISTANT__BIRTH_TOPIC", topic)
    with pytest.raises(ConfigError, match="BLINKD_HOME_ASSISTANT__BIRTH_TOPIC"):
        load_settings()


def test_a_name_for_metrics_to_listen_on_is_refused_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLINKD_METRICS__HOST", "localhost")
    with pytest.raises(ConfigError, match=r"is no IP address; write it like '127\.0\.0\.1'"):
        load_settings()
