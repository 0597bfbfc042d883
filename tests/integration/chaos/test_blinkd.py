"""The real thing is killed, cut off, wiped, put back to an older state, told the wrong time, and told everything twice; all arrives once."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from blinkd.crypto.envelope import Envelope
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.unlocked import unlock
from blinkd.errors import BlinkdError
from blinkd.measure.servers.server import ServerFailed
from blinkd.sync.messages import record_of
from blinkd.sync.records import unpack_entry
from tests.integration.chaos.organisation import Chaos, book_of
from tests.integration.chaos.scenario import Pace, Scenario
from tests.integration.chaos.staff import known
from tests.integration.chaos.trace import told
from tests.integration.sync.site import PASSWORD, Terminal

DISTURBANCES = int(os.environ.get("CHAOS_DISTURBANCES", "60"))  # thousands for a long run
SEED = int(os.environ.get("CHAOS_SEED", "1"))
PACE = Pace(undisturbed=0.9, dead=0.3, frozen=0.5, apart=0.8)  # a process needs a second to be up: some kills come before, most after


@pytest.fixture
def chaos(tmp_path: Path) -> Iterator[Chaos]:
    with ExitStack() as stack:
        yield Chaos(tmp_path, stack, SEED)


def stored(chaos: Chaos, terminal: Terminal) -> list[dict[str, Any]]:
    """What the organisation reads at the relay, by number; each entry stands there once and opens."""
    with chaos.site.keyring.opened(PASSWORD) as secrets:
        sealer = Sealer(unlock(chaos.site.keyring, secrets), "reader")
    with psycopg.connect(chaos.database.url) as connection:
        rows = connection.execute(
            "SELECT b.book, e.seq, e.kid, e.iv, e.tag, e.ciphertext, e.connected FROM entries e JOIN books b ON b.id = e.book_id "
            "WHERE b.terminal = %s ORDER BY e.seq",
            (terminal.name,),
        ).fetchall()
    assert [row[1] for row in rows] == list(range(len(rows)))
    assert all(row[6] for row in rows)
    found = []
    for book, seq, kid, iv, tag, ciphertext, _ in rows:
        content = sealer.open(Envelope(ciphertext, iv, tag, 2, kid), "entry", record_of(terminal.name, book, seq))
        found.append(dict(unpack_entry(content).content))
    return found


def chains(chaos: Chaos) -> dict[str, str]:
    """What `relay status` says of them, by terminal."""
    words = [sys.executable, "-m", "blinkd", "relay", "status", "--json"]
    said = subprocess.run(words, env=chaos.site.relay_environment("r"), capture_output=True, text=True, check=True, timeout=60).stdout
    return {one["terminal"]: one["chain"] for one in json.loads(said)}


@pytest.mark.slow
def test_everything_arrives_once_and_both_doors_know_the_same_people(chaos: Chaos) -> None:
    chaos.begin()
    scenario = Scenario(
        SEED,
        [*chaos.parts, chaos.broker, chaos.database],
        [chaos.to_broker, chaos.to_database],
        servers=frozenset({chaos.broker.name, chaos.database.name}),
        pace=PACE,
        extra={
            "wipe broker": chaos.wipe_broker,
            "back up database": chaos.backup.take,
            "restore database": chaos.restore_database,
            "wrong clock": chaos.disturb_clock,
            "repeat a terminal": chaos.repeat_terminal,
            "repeat the relays": chaos.parrot.as_relay,
        },
        extra_weight=6,
    )
    try:
        scenario.disturb(DISTURBANCES, chaos.work)
        chaos.work(DISTURBANCES)  # whatever the parrot has pretended, the next true receipt tells the truth
        scenario.settle(chaos.settled, patience=240)
        for part in chaos.parts:
            part.check()
        agree(chaos)
    except (AssertionError, BlinkdError, ServerFailed):
        for part in chaos.parts:
            print(part.name, *part.log[-15:], sep="\n  ")  # noqa: T201  for whoever reads the failure
        print("story", *scenario.story[-100:], sep="\n  ")  # noqa: T201
        raise
    finally:
        print(f"seed {SEED}:", dict(scenario.counts), dict(chaos.staff.done), chaos.parrot.repeated)  # noqa: T201
    assert scenario.kills > DISTURBANCES // 5
    assert chaos.parrot.repeated > DISTURBANCES // 5


def conflicts(terminal: Terminal) -> set[str | None]:
    """Ids of people, changes of whom another door's came before."""
    with terminal.open(read_only=True) as store:
        return {one.local_id for one in store.registry.conflicts()}


def agree(chaos: Chaos) -> None:
    """The relay holds what was punched, and both doors the same people."""
    for terminal in chaos.terminals:
        assert stored(chaos, terminal) == book_of(terminal)
    assert chains(chaos) == {terminal.name: "ok" for terminal in chaos.terminals}
    people = []
    for terminal in chaos.terminals:
        with terminal.open(read_only=True) as store:
            assert store.intake.quarantined() == []
            counts = store.registry.counts()
            assert (counts["PENDING"], counts["FAILED"]) == (0, 0)
            people.append(known(store))
    door, gate = people
    for person_id in sorted({*door, *gate, *chaos.staff.expected}):
        if door.get(person_id) != gate.get(person_id) or door.get(person_id) != chaos.staff.expected.get(person_id, door.get(person_id)):
            print(f"expected: {chaos.staff.expected.get(person_id)}", *told(chaos, person_id), sep="\n")  # noqa: T201  for whoever looks for the reason
    assert door == gate
    assert chaos.staff.deleted & door.keys() == set()
    # the newest state of everybody; but where an earlier one was repeated to a database put back, that may have come first: a conflict says so
    aside = {one for terminal in chaos.terminals for one in conflicts(terminal)}
    newest = {one: state for one, state in chaos.staff.expected.items() if one not in aside}
    assert {one: door.get(one) for one in newest} == newest
    assert chaos.staff.expected.keys() <= door.keys()
    assert len(door) > 2
