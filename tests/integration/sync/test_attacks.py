"""What somebody does who has a certificate: another terminal's topics, stolen messages, copies of a card, floods. On the real servers."""

import datetime as dt
import json
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from blinkd.clock import SystemClock
from blinkd.crypto.authority import Authority
from blinkd.crypto.box import Box
from blinkd.crypto.encoding import b64
from blinkd.crypto.request import make_request
from blinkd.crypto.signing import Signer
from blinkd.measure.servers.postgresql import PostgreSQL
from blinkd.settings import Settings, SyncSettings, TerminalSettings
from blinkd.sync.link import Arrived, Lost
from blinkd.sync.messages import Batch, Change, Changes, Pull, Receipt, RegistryHead, Status, change_signed, entry_signed
from blinkd.sync.runner import MOST_WAITING, Runner
from blinkd.sync.wire import LONGEST_MESSAGE
from tests.integration.sync.hostile import signed
from tests.integration.sync.site import ORG, PASSWORD, Terminal
from tests.integration.sync.stage import CERTIFICATE_FILE, END, NOT_AUTHORISED, Stage, der_of, punch, refusal, refused, reissued
from tests.unit.cli.passwords import with_passwords

Said = dict[str, Any]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory, postgresql: PostgreSQL) -> Iterator[Stage]:
    stage = Stage(tmp_path_factory.mktemp("stage"), postgresql)
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def stolen(stage: Stage) -> dict[str, bytes]:
    """True messages of the gate's, by topic, from a time when it had something to say."""
    with stage.observer() as observer:
        observer.subscribe(*(f"blink/v1/{ORG}/gate/{suffix}" for suffix in ("attendance", "people", "pull")))
        punch(stage.gate, 2)
        with stage.gate.open() as store:
            store.people.change("E-1", name="Ann Elsewhere")
        assert stage.gate.now().returncode == 0
        seen: dict[str, bytes] = {}
        while seen.keys() < {"attendance", "people", "pull"}:
            message = observer.next()
            seen[message.topic.rpartition("/")[2]] = bytes(message.payload)
    return seen


def changed(payload: bytes, change: Callable[[Said], object]) -> bytes:
    said = json.loads(payload)
    change(said)
    return json.dumps(said).encode()


def test_a_stolen_message_is_refused_on_every_way_but_its_own(stage: Stage, stolen: dict[str, bytes]) -> None:
    before = stage.rows("SELECT count(*), sum(seq) FROM entries") + stage.rows("SELECT record, version FROM registry ORDER BY 1")
    with stage.peer(stage.rogue) as rogue:
        rogue.subscribe(f"blink/v1/{ORG}/rogue/receipt")
        for suffix, payload in stolen.items():
            assert rogue.publish(f"blink/v1/{ORG}/gate/{suffix}", payload).value == NOT_AUTHORISED
            for answer in (f"gate/{suffix}", "gate/receipt", "gate/page", "rogue/receipt", "rogue/page", "head"):
                assert rogue.publish(f"blink/v1/{ORG}/{answer}", payload, retain=True).value == NOT_AUTHORISED
            assert refused(rogue, suffix, payload) == {"topic"}
    for door in (stage.broker.relay_port, stage.broker.port):
        with stage.relays("not-a-terminal", door=door) as relay:
            for suffix, payload in stolen.items():
                assert relay.publish(f"blink/v1/{ORG}/gate/{suffix}", payload).value == NOT_AUTHORISED
    after = stage.rows("SELECT count(*), sum(seq) FROM entries") + stage.rows("SELECT record, version FROM registry ORDER BY 1")
    assert before == after


def test_a_message_that_names_another_terminal_has_nothing_of_that_ones_refused(stage: Stage, stolen: dict[str, bytes]) -> None:
    """The answer goes to who has sent it: told that its messages are refused, a terminal sends them without what they hold."""
    with stage.peer(stage.rogue) as rogue, stage.peer(stage.gate) as gate:
        gate.subscribe(f"blink/v1/{ORG}/gate/receipt")
        rogue.subscribe(f"blink/v1/{ORG}/rogue/receipt")
        for suffix in ("attendance", "people"):
            assert refused(rogue, suffix, stolen[suffix]) == {"topic"}
            assert refused(rogue, suffix, changed(stolen[suffix], lambda said: said.update(certificate="AAAA"))) == {"topic"}
        gate.publish(f"blink/v1/{ORG}/gate/attendance", stolen["attendance"])
        first = Receipt.parse(bytes(gate.next().payload))
    assert first.rejected == () and first.attendance is not None


def _as_rogue(said: Said) -> None:
    said["terminal"] = "rogue"


def _as_another_organisation(said: Said) -> None:
    said |= {"terminal": "rogue", "org": "other"}


def _by_rogues_certificate(stage: Stage) -> Callable[[Said], object]:

    return lambda said: said.update(terminal="rogue", certificate=b64(der_of(stage.rogue)))


def test_what_is_sealed_in_a_stolen_message_fits_no_other_record_terminal_organisation_or_type(
    stage: Stage, stolen: dict[str, bytes]
) -> None:
    """By the gate's own signature, and signed anew by the rogue, whose certificate is good."""
    signer, own = Signer.load(stage.rogue.folder, create=False), _by_rogues_certificate(stage)
    batch = Batch.parse(changed(stolen["attendance"], own))
    entry = batch.entries[-1]
    mine = replace(entry, signature=signer.sign(entry_signed(ORG, "rogue", replace(batch, entries=(entry,)).hashes()[0], entry.digest())))
    (person, *_) = (one for one in Changes.parse(stolen["people"]).changes if one.type == "person")
    before = stage.rows("SELECT count(*) FROM entries") + stage.rows("SELECT count(*) FROM registry")

    def resigned(**members: Any) -> Change:
        change = replace(person, **members)
        return replace(change, signature=signer.sign(change_signed(ORG, "rogue", change)))

    def people(*some: Change) -> bytes:
        return replace(Changes.parse(changed(stolen["people"], own)), changes=some).to_bytes()

    with stage.peer(stage.rogue) as rogue:
        rogue.subscribe(f"blink/v1/{ORG}/rogue/receipt")
        for move, reason in ((_as_rogue, "certificate"), (_as_another_organisation, "topic"), (own, "signature")):
            assert refused(rogue, "attendance", changed(stolen["attendance"], move)) == {reason}
        assert refused(rogue, "attendance", replace(batch, entries=(mine,)).to_bytes()) == {"foreign"}
        moves = (
            (person, "signature"),
            (replace(person, id="0" * 32), "signature"),
            (replace(person, type="template"), "signature"),
            (resigned(), "foreign"),
            (resigned(id="0" * 32, base=0), "foreign"),
            (resigned(id=f"{'0' * 32}.{'0' * 16}", type="template", base=0), "foreign"),
            (resigned(envelope=entry.envelope), "foreign"),
        )
        for change, reason in moves:
            assert not rogue.publish(f"blink/v1/{ORG}/rogue/people", people(change)).is_failure
            (answer,) = Receipt.parse(bytes(rogue.next().payload)).people
            assert (answer.state, answer.reason) == ("rejected", reason)
    assert stage.rows("SELECT count(*) FROM entries") + stage.rows("SELECT count(*) FROM registry") == before


def test_a_terminal_reads_nothing_of_another_ones_receipts_and_pages(stage: Stage) -> None:
    with stage.peer(stage.rogue) as rogue, stage.relays("marker") as relay:
        rogue.subscribe("#", f"blink/v1/{ORG}/gate/receipt", f"blink/v1/{ORG}/gate/page", f"blink/v1/{ORG}/gate/attendance")
        rogue.subscribe(f"blink/v1/{ORG}/rogue/receipt")
        punch(stage.gate, 1)
        assert stage.gate.now().returncode == 0
        relay.publish(f"blink/v1/{ORG}/rogue/receipt", END)
        got = []
        while not got or got[-1].payload != END:
            got.append(rogue.next())
    assert {message.topic for message in got} <= {f"blink/v1/{ORG}/rogue/receipt", f"blink/v1/{ORG}/head"}


def test_a_terminal_says_nothing_of_anothers_state(stage: Stage) -> None:
    with stage.peer(stage.rogue) as rogue:
        rogue.subscribe(f"blink/v1/{ORG}/rogue/receipt")
        false = Status(ORG, "gate", online=True, version="forged", health={"pending": 99}).to_bytes()
        assert refused(rogue, "status", false) == {"topic"}
        asked = Pull(ORG, "gate", 0, 10, "ab").to_bytes()
        assert refused(rogue, "pull", asked) == {"topic"}
    assert stage.status()["gate"]["version"] != "forged"


def test_the_longest_message_is_taken_and_one_byte_more_is_refused(stage: Stage, stolen: dict[str, bytes]) -> None:
    def padded(length: int) -> bytes:
        return stolen["attendance"] + b" " * (length - len(stolen["attendance"]))

    with stage.peer(stage.gate) as gate, stage.peer(stage.rogue) as rogue:
        gate.subscribe(f"blink/v1/{ORG}/gate/receipt")
        gate.publish(f"blink/v1/{ORG}/gate/attendance", padded(LONGEST_MESSAGE))
        receipt = Receipt.parse(bytes(gate.next().payload))
        assert receipt.rejected == () and receipt.attendance is not None
        rogue.subscribe(f"blink/v1/{ORG}/rogue/receipt")
        assert refused(rogue, "attendance", padded(LONGEST_MESSAGE + 1)) == {"too_large"}
        gate.publish(f"blink/v1/{ORG}/gate/attendance", stolen["attendance"])
        assert Receipt.parse(bytes(gate.next().payload)).attendance == receipt.attendance


def test_a_flood_by_one_terminal_takes_no_memory_without_bound_and_lets_the_others_through(stage: Stage) -> None:
    def resident_mb(pid: int) -> float:
        return int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20

    punches = punch(stage.gate, 2)
    before = resident_mb(stage.relay.pid), resident_mb(stage.broker.pid)
    junk = [b"{" + b"[" * 1000, b"\x00" * 10_000, json.dumps({"v": 2, "entries": [1] * 5000}).encode(), b"[" * LONGEST_MESSAGE]
    with stage.peer(stage.rogue) as rogue:
        for number in range(600):
            rogue.client.publish(
                f"blink/v1/{ORG}/rogue/{('attendance', 'people', 'pull', 'status')[number % 4]}",
                junk[number // 4 % 4 if number % 40 < 4 else number % 3],
                1,
            )
        assert stage.gate.now().returncode == 0
        after = resident_mb(stage.relay.pid), resident_mb(stage.broker.pid)
        assert stage.relay.poll() is None
    assert after[0] - before[0] < 150
    assert after[1] - before[1] < 100
    assert stage.rows("SELECT stored_seq FROM books WHERE terminal = 'gate'")[0][0] >= len(punches)


def test_more_messages_than_a_terminal_can_read_are_as_lost_and_news_of_the_connection_is_not(stage: Stage) -> None:
    settings = Settings(
        state_dir=stage.rogue.folder, terminal=TerminalSettings(id="rogue"), sync=SyncSettings(broker="127.0.0.1", port=stage.broker.port)
    )
    with stage.rogue.open() as store:
        runner = Runner(settings, store, SystemClock())
        for _ in range(1000):
            runner.happened(Arrived(f"blink/v1/{ORG}/rogue/page", bytes(1000), lambda: None))
        runner.happened(Lost("cut off", 1.0))
        assert runner._happenings.qsize() == MOST_WAITING + 1


@pytest.mark.parametrize("days", [(-2, -1), (1, 2)])
def test_a_certificate_past_or_before_its_time_gets_nowhere_and_nothing_is_lost_by_it(stage: Stage, days: tuple[int, int]) -> None:
    path = stage.gate.folder / CERTIFICATE_FILE
    good = path.read_bytes()
    punch(stage.gate, 1)
    path.write_bytes(reissued(stage.site, stage.gate, *(dt.timedelta(days=one) for one in days)))
    try:
        assert "expired, not valid yet" in refusal(stage, stage.gate)
    finally:
        path.write_bytes(good)
    assert stage.gate.now().returncode == 0


def test_a_terminal_of_another_authority_gets_nowhere_though_all_names_in_its_certificate_are_right(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "gate"
    shutil.copytree(stage.gate.folder, folder)
    tls = (folder / "tls.key").read_bytes()
    request = make_request("gate", ORG, tls, Signer.load(folder, create=False).public, Box.load(folder, create=False).public)
    (folder / CERTIFICATE_FILE).write_bytes(Authority.create(tmp_path / "ca", ORG).issue_terminal(request))
    stranger = Terminal("gate", folder, stage.gate.environment | {"BLINKD_STATE_DIR": str(folder)})
    assert "another authority's" in refusal(stage, stranger)


def test_what_an_attacker_leaves_at_the_broker_keeps_nobody_from_working(stage: Stage, stolen: dict[str, bytes]) -> None:
    """Retained: a false head, a page and a receipt, by somebody with a relay's certificate; and junk in a terminal's own topics."""
    left = [f"blink/v1/{ORG}/head", *(f"blink/v1/{ORG}/gate/{suffix}" for suffix in ("receipt", "page"))]
    with stage.relays("attacker") as relay, stage.peer(stage.rogue) as rogue:
        relay.publish(left[0], RegistryHead(2**53 - 1).to_bytes(), retain=True)
        relay.publish(left[1], b'{"v":2,"attendance":{"book":"x"}}', retain=True)
        relay.publish(left[2], changed(stolen["pull"], lambda said: said.update(upto=2**63)), retain=True)
        for suffix in ("attendance", "people", "pull", "status"):
            rogue.publish(f"blink/v1/{ORG}/rogue/{suffix}", b"\xff", retain=True)
    try:
        punch(stage.gate, 3)
        answer = stage.gate.now()
        assert answer.returncode == 0, answer.stderr
        assert json.loads(answer.stdout)["attendance"]["pending"] == 0
    finally:
        with stage.relays("attacker") as relay:
            for topic in left[1:]:
                relay.publish(topic, b"", retain=True)
            relay.publish(left[0], RegistryHead(stage.rows("SELECT version FROM organisations")[0][0]).to_bytes(), retain=True)


def test_a_copied_card_makes_a_fork_that_is_named_and_nothing_of_the_honest_one_is_lost(stage: Stage) -> None:
    copy = Terminal("gate", stage.site.folder / "copy", stage.gate.environment | {"BLINKD_STATE_DIR": str(stage.site.folder / "copy")})
    shutil.copytree(stage.gate.folder, copy.folder)
    try:
        false, true = punch(copy, 3), punch(stage.gate, 4)
        assert copy.now().returncode == 0
        answer = stage.gate.now()
        assert answer.returncode == 0, answer.stderr
        assert false != true
        with stage.gate.open(read_only=True) as store:
            hashes = [store.outbox.hash_of(number) for number in range(store.outbox.end())]
        held = {
            bytes(value)
            for (value,) in stage.rows("SELECT hash FROM entries e JOIN books b ON b.id = e.book_id WHERE terminal = 'gate' AND connected")
        }
        assert set(hashes) <= held
        said = stage.status()["gate"]
        assert said["chain"] == "fork" and "a card was copied" in said["detail"]
        assert "gate: its chain has a fork" in stage.log()
        assert stage.status()["rogue"]["chain"] == "ok"
    finally:
        shutil.rmtree(copy.folder)


def test_a_revoked_terminal_is_shut_out_by_the_relay_at_once_and_by_the_broker_with_the_new_list(stage: Stage) -> None:
    lost = stage.site.terminal("lost")
    assert lost.now().returncode == 0
    assert stage.gate.now().returncode == 0  # who must know whom it gives new keys to
    with stage.peer(lost) as thief:
        thief.subscribe(f"blink/v1/{ORG}/lost/receipt", f"blink/v1/{ORG}/lost/page")
        turned = with_passwords(
            "keys", "rotate", "--revoke", "lost", state=stage.gate.folder, lines=(PASSWORD,), BLINKD_TERMINAL__ID="gate"
        )
        assert turned.code == 0, turned.err
        assert stage.gate.now().returncode == 0
        thief.publish(f"blink/v1/{ORG}/lost/pull", Pull(ORG, "lost", 0, 500, "ab").to_bytes())
        (answer,) = Receipt.parse(bytes(thief.next().payload)).rejected
        assert (answer.topic, answer.reason) == ("pull", "certificate")
        said = Change("terminal.lost", "terminal", 0, 9, None, {"certificate": b64(der_of(lost))}, b"")
        change = signed(said, "lost", Signer.load(lost.folder, create=False))
        before = stage.rows("SELECT record, version FROM registry ORDER BY 1")
        thief.publish(f"blink/v1/{ORG}/lost/people", Changes(ORG, "lost", der_of(lost), (change,)).to_bytes())
        (answer,) = Receipt.parse(bytes(thief.next().payload)).rejected
        assert (answer.topic, answer.reason) == ("people", "certificate")
        assert stage.rows("SELECT record, version FROM registry ORDER BY 1") == before
    stage.site.authority.revoke("lost")
    stage.broker.write_revocations()
    os.kill(stage.broker.pid, signal.SIGHUP)
    stage.broker.wait_for("Reloading config")
    assert "revoked" in refusal(stage, lost)
    punch(stage.gate, 1)
    assert stage.gate.now().returncode == 0
