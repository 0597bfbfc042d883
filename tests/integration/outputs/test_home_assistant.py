"""Home Assistant's side of a terminal, over the real Mosquitto with user and password."""

import json
import logging
import random
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from blinkd.errors import StoreError
from blinkd.outputs.home_assistant import COUNT_EVERY_S, EVENTS_MOST, KEEPALIVE_S, HomeAssistant
from blinkd.outputs.port import Health, PartHealth
from blinkd.outputs.presence import Presence
from blinkd.session.events import Event
from blinkd.settings import HomeAssistantSettings
from blinkd.sync.backoff import Backoff
from tests.integration.outputs.listening import PATIENCE_S, House
from tests.services.certificates import Authority
from tests.services.house import PASSWORD, USER, HouseBroker

CONFIG = "homeassistant/device/blinkd_door_-1/config"
AVAILABLE, STATE, EVENT = (f"blinkd/door.1/{name}" for name in ("availability", "state", "event"))
MIDNIGHT = datetime(2026, 3, 2, tzinfo=UTC)
PUNCH = {"person_id": "E-1001", "name": "Ann Example", "status": "CHECK_IN", "punctuality": "LATE", "seq": 3}


class Counter:
    """Counts what the test puts in; says when it has been asked and closed."""

    def __init__(self) -> None:
        self.presence = Presence(0, 0, MIDNIGHT)
        self.trouble = ""
        self.counted = threading.Event()
        self.closed = threading.Event()

    def count(self) -> Presence:
        self.counted.set()
        if self.trouble:
            raise StoreError(self.trouble)
        return self.presence

    def close(self) -> None:
        self.closed.set()


class NoDelay(random.Random):
    """Home Assistant is answered at once."""

    def uniform(self, a: float, b: float) -> float:
        self.asked = (a, b)
        return a


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[HouseBroker]:
    started = HouseBroker(tmp_path / "broker")
    started.start()
    yield started
    started.kill()


@pytest.fixture
def house(broker: HouseBroker) -> Iterator[House]:
    with closing(House(broker)) as listening:
        yield listening


@pytest.fixture
def password(tmp_path: Path) -> Path:
    path = tmp_path / "password"
    path.touch(0o600)
    path.write_text(PASSWORD + "\n")
    return path


@pytest.fixture
def counter() -> Counter:
    return Counter()


Opened = Callable[..., HomeAssistant]


@pytest.fixture
def opened(broker: HouseBroker, password: Path, counter: Counter) -> Iterator[Opened]:
    with ExitStack() as stack:

        def make(*, count_every_s: float = COUNT_EVERY_S, keepalive_s: int = KEEPALIVE_S, **changes: Any) -> HomeAssistant:
            values = {"broker": "127.0.0.1", "tls": False, "port": broker.port, "user": USER, "password_file": password} | changes
            quick: dict[str, Any] = {"chance": NoDelay(), "backoff": Backoff(0.05, 0.05, 0.05)}
            quick |= {"count_every_s": count_every_s, "keepalive_s": keepalive_s}
            made = HomeAssistant(HomeAssistantSettings(**values), "door.1", counter, **quick)
            return stack.enter_context(closing(made))

        yield make


def health(*parts: PartHealth) -> Health:
    return Health(parts or (PartHealth("camera", "ok"),), 15.0, 7, 21, 0, 0, 48.5)


def wait_for(assistant: HomeAssistant, said: Callable[[PartHealth], bool]) -> PartHealth:
    """Until it says so of itself."""
    with assistant._changed:
        assert assistant._changed.wait_for(lambda: said(assistant.part()), PATIENCE_S), assistant.part()
        return assistant.part()


def wait_ok(assistant: HomeAssistant, counter: Counter) -> None:
    """Until it is connected and has told how many are present."""
    wait_for(assistant, lambda part: part.state == "ok")
    assert counter.counted.wait(PATIENCE_S)


def test_the_device_is_described_once_with_all_its_entities_and_stays_at_the_broker(
    opened: Opened, house: House, broker: HouseBroker
) -> None:
    opened().health(health())
    told = json.loads(house.wait(CONFIG))
    assert told["device"]["identifiers"] == ["blinkd_door_-1"]
    assert told["device"]["name"] == "door.1"
    assert told["origin"]["name"] == "blinkd"
    platforms = {key: entity["platform"] for key, entity in told["components"].items()}
    assert platforms == {
        "present": "sensor",
        "check_ins": "sensor",
        "last_event": "event",
        "problem": "binary_sensor",
        "connected": "binary_sensor",
        "version": "sensor",
        "door": "sensor",
        "door_problem": "binary_sensor",
    }
    assert [key for key, entity in told["components"].items() if entity.keys() == {"platform"}] == ["door", "door_problem"]  # taken away
    house.wait_for(STATE, present=0)
    with closing(House(broker)) as late:
        assert json.loads(late.wait(CONFIG)) == told
        late.wait_text(AVAILABLE, "online")
        assert late.wait_for(STATE, present=0)["version"] == told["device"]["sw_version"]


def test_presence_comes_at_the_start_and_after_each_punch(opened: Opened, house: House, counter: Counter) -> None:
    counter.presence = Presence(4, 5, MIDNIGHT)
    assistant = opened()
    assistant.health(health())
    assert house.wait_for(STATE, present=4)["check_ins"] == 5
    counter.presence = Presence(5, 6, MIDNIGHT)
    assistant.event(Event(1.0, 1, "punch", dict(PUNCH)))
    assert house.wait_for(STATE, present=5)["since"] == "2026-03-02T00:00:00+00:00"


def test_a_book_that_cannot_be_read_shows_as_unknown_and_heals(opened: Opened, house: House, counter: Counter) -> None:
    counter.trouble = "blinkd.db: damaged"
    assistant = opened()
    assistant.health(health())
    house.wait_for(STATE, present=None, check_ins=None)
    assert assistant.part() == PartHealth("home_assistant", "degraded", "blinkd.db: damaged")
    counter.trouble = ""
    assistant.event(Event(1.0, 1, "punch", dict(PUNCH)))
    house.wait_for(STATE, present=0)
    assert assistant.part() == PartHealth("home_assistant", "ok")


def test_events_say_what_happened_and_not_who(opened: Opened, house: House) -> None:
    assistant = opened()
    assistant.health(health())
    house.wait_for(STATE, present=0)
    for kind, details in (
        ("identified", {"person_id": "E-1001", "name": "Ann Example"}),
        ("punch", dict(PUNCH)),
        ("punch", PUNCH | {"status": "CHECK_OUT"}),
        ("refused", {"reason": "not_live", "person_id": "E-1001", "similarity": 0.9}),
    ):
        assistant.event(Event(1.0, 1, kind, details))  # type: ignore[arg-type]
    house.wait(EVENT, 3)
    assert [json.loads(text) for text in house.texts(EVENT)] == [
        {"event_type": "check_in", "punctuality": "LATE"},
        {"event_type": "check_out", "punctuality": "LATE"},
        {"event_type": "refused", "reason": "not_live"},
    ]
    assert not any("Ann" in payload or "E-1001" in payload for _, payload, _ in house.heard)


def test_events_say_who_when_asked_for(opened: Opened, house: House) -> None:
    assistant = opened(names=True)
    assistant.health(health())
    house.wait_for(STATE, present=0)
    assistant.event(Event(1.0, 1, "punch", dict(PUNCH)))
    told = {"event_type": "check_in", "punctuality": "LATE", "name": "Ann Example", "person_id": "E-1001"}
    assert json.loads(house.wait(EVENT)) == told


def test_no_event_is_kept_for_a_house_that_listens_later(opened: Opened, house: House, broker: HouseBroker) -> None:
    assistant = opened()
    assistant.health(health())
    house.wait_for(STATE, present=0)
    assistant.event(Event(1.0, 1, "punch", dict(PUNCH)))
    house.wait(EVENT)
    with closing(House(broker)) as late:
        late.wait(STATE)
        assert late.texts(EVENT) == []


def test_a_problem_is_said_in_words_and_so_is_its_end(opened: Opened, house: House) -> None:
    assistant = opened()
    assistant.health(health(PartHealth("camera", "failed", "unplugged"), PartHealth("home_assistant", "degraded", "not connected yet")))
    assert house.wait_for(STATE, problem="ON")["parts"] == {"camera": "failed: unplugged"}
    assistant.health(health())
    assert house.wait_for(STATE, problem="OFF")["parts"] == {}


def test_the_door_is_an_entity_where_there_is_one(opened: Opened, house: House) -> None:
    assistant = opened()
    assistant.health(health(PartHealth("door", "ok", "locked")))
    entities = json.loads(house.wait(CONFIG))["components"]
    assert entities["door"]["state_topic"] == STATE
    assert entities["door_problem"]["device_class"] == "problem"
    house.wait_for(STATE, door="locked", door_problem="OFF")
    assistant.health(health(PartHealth("door", "degraded", "held open")))
    house.wait_for(STATE, door="held open", door_problem="ON", problem="ON")
    assistant.health(health(PartHealth("door", "off")))
    assert json.loads(house.wait(CONFIG, 2))["components"]["door"] == {"platform": "sensor"}


def test_health_that_shows_nothing_new_is_not_told_again(opened: Opened, house: House) -> None:
    assistant = opened()
    for fps in (14.0, 15.0, 16.0):
        assistant.health(Health((PartHealth("camera", "ok"),), fps, 7, 21, 0, 0, fps))
    house.wait_for(STATE, present=0)
    assistant.health(health(PartHealth("camera", "failed")))
    house.wait_for(STATE, problem="ON")
    assert len(house.texts(STATE)) == 2
    assert len(house.texts(CONFIG)) == len(house.texts(AVAILABLE)) == 1


def test_a_home_assistant_that_starts_is_told_everything_again(opened: Opened, house: House) -> None:
    opened().health(health())
    house.wait_for(STATE, present=0)
    house.forget()
    house.say("homeassistant/status", "offline")
    house.say("homeassistant/status", "online")
    house.wait(STATE)
    assert json.loads(house.wait(CONFIG))["origin"]["name"] == "blinkd"
    assert house.texts(AVAILABLE) == ["online"]
    assert len(house.texts(CONFIG)) == 1  # not for the offline one


def test_prefix_and_birth_topic_are_as_the_settings_say(opened: Opened, house: House) -> None:
    opened(discovery_prefix="ha", birth_topic="ha/born").health(health())
    house.wait("ha/device/blinkd_door_-1/config")
    house.wait(STATE)
    house.forget()
    house.say("ha/born", "online")
    house.wait("ha/device/blinkd_door_-1/config")


def test_whoever_ends_says_goodbye(opened: Opened, house: House, counter: Counter) -> None:
    assistant = opened()
    assistant.health(health())
    house.wait_for(STATE, present=0)
    assistant.close()
    house.wait_text(AVAILABLE, "offline")
    assert counter.closed.wait(PATIENCE_S)
    assistant.close()


def test_the_broker_says_offline_of_one_that_has_gone_without_a_word(opened: Opened, house: House) -> None:
    assistant = opened()
    assistant.health(health())
    house.wait_for(STATE, present=0)
    opened()  # a second one of the same name takes its place at the broker, which so cuts the first one off
    house.wait_text(AVAILABLE, "offline")


def test_a_broker_that_is_away_costs_nothing_and_everything_is_told_when_it_is_back(
    opened: Opened, broker: HouseBroker, counter: Counter
) -> None:
    broker.kill()  # at SIGTERM this soon after its start Mosquitto 2.0 may go on
    assistant = opened()
    assistant.health(health())
    assert wait_for(assistant, lambda part: "refused" in part.words).state == "degraded"
    for number in range(10 * EVENTS_MOST):
        assistant.event(Event(float(number), number, "punch", dict(PUNCH)))
    assert not counter.counted.is_set()  # nobody would hear of it
    counter.presence = Presence(9, 9, MIDNIGHT)
    broker.start()
    with closing(House(broker)) as house:
        house.wait_for(STATE, present=9)
        house.wait_text(AVAILABLE, "online")
        assert house.texts(EVENT) == []  # what happened then is no event now
    wait_for(assistant, lambda part: part == PartHealth("home_assistant", "ok"))


def test_a_connection_that_broke_is_made_again_and_nothing_old_is_sent(opened: Opened, broker: HouseBroker, counter: Counter) -> None:
    assistant = opened()
    assistant.health(health())
    wait_ok(assistant, counter)
    broker.kill()
    wait_for(assistant, lambda part: part.state == "degraded")
    assistant.event(Event(1.0, 1, "punch", dict(PUNCH)))
    counter.presence = Presence(3, 3, MIDNIGHT)
    broker.start()
    with closing(House(broker)) as house:
        house.wait_for(STATE, present=3)
        assert house.texts(EVENT) == []


def test_a_broker_that_hangs_is_left_and_taken_up_again_when_it_answers(opened: Opened, broker: HouseBroker, counter: Counter) -> None:
    assistant = opened(keepalive_s=1)
    assistant.health(health())
    wait_ok(assistant, counter)
    broker.freeze()
    try:
        for number in range(10 * EVENTS_MOST):
            assistant.event(Event(float(number), number, "punch", dict(PUNCH)))
        assert len(assistant._events) <= EVENTS_MOST
        wait_for(assistant, lambda part: part.state == "degraded")
        assert len(assistant._events) == 0
    finally:
        broker.thaw()
    counter.presence = Presence(2, 2, MIDNIGHT)
    with closing(House(broker)) as house:
        house.wait_for(STATE, present=2)


def test_presence_is_counted_again_without_an_event(opened: Opened, house: House, counter: Counter) -> None:
    opened(count_every_s=0.05).health(health())
    house.wait_for(STATE, present=0)
    counter.presence = Presence(1, 0, MIDNIGHT)  # a correction, or another terminal's
    house.wait_for(STATE, present=1)


def test_a_wrong_password_is_said_and_never_shown(
    opened: Opened, password: Path, caplog: pytest.LogCaptureFixture, counter: Counter
) -> None:
    password.write_text("wrong-secret\n")
    with caplog.at_level(logging.DEBUG):
        assistant = opened()
        assistant.health(health())
        assert "home_assistant.user" in wait_for(assistant, lambda part: "Not authorized" in part.words).words
        password.write_text(PASSWORD)
        wait_ok(assistant, counter)  # read anew for each connection
    assert "wrong-secret" not in caplog.text and PASSWORD not in caplog.text


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.chmod(0o644), "chmod 600"),
        (lambda path: path.unlink(), "cannot be read: No such file"),
        (lambda path: path.write_text("\n"), "no password"),
        (lambda path: path.write_text("two\nlines\n"), "no password"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "not UTF-8"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_said_with_the_remedy(
    opened: Opened, password: Path, spoil: Callable[[Path], object], words: str
) -> None:
    spoil(password)
    assistant = opened()
    assert str(password) in wait_for(assistant, lambda part: words in part.words).words


def test_the_password_may_be_a_systemd_credential(opened: Opened, house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "blinkd-home-assistant-password").write_text(PASSWORD)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    opened(password_file=None).health(health())
    house.wait_for(STATE, present=0)


def test_a_user_without_a_password_is_said(opened: Opened, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    assistant = opened(password_file=None)
    wait_for(assistant, lambda part: "home_assistant.password_file" in part.words)


def test_nobody_is_told_anything_unless_a_broker_is_named() -> None:
    assert HomeAssistantSettings().broker == ""


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HouseBroker]:
    started = HouseBroker(tmp_path_factory.mktemp("house") / "broker", Authority("house"))
    started.start()
    yield started
    started.kill()


def test_by_tls_the_brokers_certificate_must_be_its_authoritys(
    opened: Opened, secure: HouseBroker, counter: Counter, tmp_path: Path
) -> None:
    assistant = opened(tls=True, port=secure.port, ca_file=secure.folder / "ca.pem")
    assistant.health(health())
    wait_ok(assistant, counter)
    other = tmp_path / "other.pem"
    other.write_bytes(Authority("other").ca_pem)
    for ca, words in (
        (other, "certificate is refused"),
        (None, "certificate is refused"),
        (tmp_path / "none.pem", "home_assistant.ca_file"),
    ):
        refused = opened(tls=True, port=secure.port, ca_file=ca)
        wait_for(refused, lambda part, said=words: said in part.words)  # type: ignore[misc]


def test_by_tls_a_broker_that_speaks_none_is_said(opened: Opened) -> None:
    assistant = opened(tls=True)
    wait_for(assistant, lambda part: "home_assistant.tls" in part.words)


def test_without_tls_a_broker_that_asks_for_it_is_said(opened: Opened, secure: HouseBroker) -> None:
    assistant = opened(port=secure.port)
    wait_for(assistant, lambda part: "home_assistant.tls" in part.words)


def test_leaving_does_not_wait_for_a_broker_that_says_nothing(opened: Opened) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        assistant = opened(tls=True, port=listening.getsockname()[1])
        connection, _ = listening.accept()
        with connection:
            assistant.close()
            assert assistant._thread.is_alive()  # still in TLS's handshake
    assistant._thread.join(PATIENCE_S)
    assert not assistant._thread.is_alive()
