"""`blinkd demo --sync`: somebody is enrolled at one door and walks up to another; the relay in between holds nothing that it can read."""

import secrets
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from blinkd.capture.pictures import read_picture
from blinkd.cli.demo_cast import DEMO_PEOPLE, DEMO_RECORDING
from blinkd.cli.demo_site import Site, join, site, synchronise, unlocked
from blinkd.cli.output import console, one_line, print_json
from blinkd.cli.relay_rows import entries, in_clear, read_entry, read_record, records
from blinkd.cli.replay import play, replay_start
from blinkd.clock import ReplayClock
from blinkd.crypto.keyring import Keyring
from blinkd.errors import DemoFailed
from blinkd.models.media import fetch_media
from blinkd.parts import REPLAY_SEED, Parts
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.sync.embedded import Passed

ORGANISATION, FIRST, SECOND = "sample-org", "door-1", "door-2"
PASSWORD_BYTES = 24
VECTOR_BYTES = 48  # of an embedding, by which it is searched for: nothing else begins so
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Say = Callable[[str], None]


def demo_sync(given: Settings, *, as_json: bool) -> None:
    """Show it; with as_json one JSON object and no words. Raises DemoFailed and whatever the parts raise; nothing is left behind.

    The JSON: {"ok", "organisation", "terminals", "enrolled": {"terminal", "person_id", "name", "picture"}, "events": as of `replay`,
    "traffic": [{"from", "topic", "messages", "bytes"}], "relay": {"entries": [{"terminal", "seq", "kid", "bytes", "ciphertext"}],
    "registry": [{"terminal", "version", "type", "record", …}]}, "opened": {"entries": [{"terminal", "seq", "content"}], "registry": […]},
    "searched": number of secrets looked for in clear, "elapsed_s"}
    """
    began = time.monotonic()
    out = console()

    def say(text: str) -> None:
        if not as_json:
            out.print(text, markup=False)

    folder = Path(tempfile.mkdtemp(prefix="blinkd-demo-"))
    try:
        media = fetch_media()
        password = secrets.token_urlsafe(PASSWORD_BYTES)
        with site(folder, ORGANISATION, password) as here:
            say(f"in {folder}, for as long as this runs:")
            say(f"  a broker (MQTT 3.1.1 over TLS, port {here.broker.port}), and an authority whose certificates it lets in")
            say("  a relay with a SQLite database, which has no key that opens anything")
            say(f"  two terminals, {FIRST} and {SECOND}, that share the keyring of {ORGANISATION}")
            shown = _show(here, given, media, unlocked(here, password), say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    elapsed = time.monotonic() - began
    say(f"done in {elapsed:.1f} s; {folder} is gone")
    if as_json:
        print_json({"ok": True, **shown, "elapsed_s": round(elapsed, 3)})


def _show(here: Site, given: Settings, media: Path, keys: Keyring, say: Say) -> dict[str, Any]:
    first, second = (join(here, given, name, keys) for name in (FIRST, SECOND))
    enrolled, needles = _enrol(here, first, media, say)
    events, punched = _walk_up(here, second, media, enrolled, say)
    kept, opened = _compare(here, keys, say)
    needles += [str(punched).encode()]
    _search(here, needles, say)
    return {
        "organisation": here.organisation,
        "terminals": [FIRST, SECOND],
        "enrolled": enrolled,
        "events": events,
        "traffic": _traffic(here.broker.passed),
        "relay": kept,
        "opened": opened,
        "searched": len(needles),
    }


def _enrol(here: Site, settings: Settings, media: Path, say: Say) -> tuple[dict[str, Any], list[bytes]]:
    """At the first door. Returns who it is, and what must not be found anywhere outside of the terminals."""
    name, number, picture = DEMO_PEOPLE[0]
    parts = Parts(settings)
    with parts.open_store() as store:
        store.book.begin()
        template = parts.enroller.from_picture(read_picture(media / picture), picture)
        person = parts.register(store).enrol(name, number, [template])
        say(f"\n{FIRST}: enrolled {person.name} ({person.id}) from {picture}, quality {template.quality:.2f}")
        vectors = [one.vector for one in store.people.templates(parts.embedder.model_id)]
        _synchronise(here, settings, store, say)
    needles = [name.encode(), number.encode(), *(vector.astype("<f4").tobytes()[:VECTOR_BYTES] for vector in vectors)]
    return {"terminal": FIRST, "person_id": person.id, "name": person.name, "picture": picture}, needles


def _walk_up(here: Site, settings: Settings, media: Path, enrolled: dict[str, Any], say: Say) -> tuple[list[dict[str, Any]], int]:
    """At the second door. Returns the events, and when the punch was, in microseconds since 1970."""
    parts, events = Parts(settings), []
    with parts.open_store() as store:
        store.book.begin()
        say(f"\n{SECOND}: knows {len(store.people.all())} people, and asks the relay for what is new")
        _synchronise(here, settings, store, say)
        known = store.people.find(enrolled["person_id"])
        if known is None or not known.templates:
            raise DemoFailed(f"{SECOND} does not know {enrolled['person_id']}, who was enrolled at {FIRST}: the registry has not come over")
        say(f"{SECOND}: knows {known.name} ({known.id}) by what came through the relay; replaying {DEMO_RECORDING}:")
        clock = ReplayClock(replay_start(settings, None, record=False))
        terminal = parts.terminal(store, store, clock, seed=REPLAY_SEED)
        for _, found in play(media / DEMO_RECORDING, settings, terminal, clock):
            events += found
        events += terminal.interrupt(clock.elapsed)
        for event in events:
            say(f"{event.t:8.2f} s  session {event.session}  {event.kind:<16}{one_line(event.details)}")
        punches = list(store.book.punches(person_id=known.id))
        if not punches:
            raise DemoFailed(f"{SECOND} has not recognised {known.name} in {DEMO_RECORDING}; run `blinkd doctor` and `blinkd demo`")
        say(f"{SECOND}: the punch goes to the relay")
        _synchronise(here, settings, store, say)
    return [event.as_json() for event in events], punches[0].content()["us"]


def _synchronise(here: Site, settings: Settings, store: Store, say: Say) -> None:
    """And say what went through the broker meanwhile."""
    before = len(here.broker.passed)
    synchronise(settings, store)
    for one in _traffic(here.broker.passed[before:]):
        say(
            f"  {one['from']:<22} -> {one['topic']:<38} {one['messages']} {'message' if one['messages'] == 1 else 'messages'}, {one['bytes']} bytes"
        )


def _compare(here: Site, keys: Keyring, say: Say) -> tuple[dict[str, Any], dict[str, Any]]:
    """What the relay keeps beside what is in it."""
    held, registry = entries(here.database), records(here.database)
    say("\nwhat the relay keeps of attendance (terminal, entry, size and first bytes of the sealed content):")
    for row in held:
        seen = row.as_json()
        say(f"  {seen['terminal']}  entry {seen['seq']}  {seen['bytes']:>5} bytes  {seen['ciphertext']}…")
    say("and of people (type, name of the record, size and first bytes):")
    for record in registry:
        seen = record.as_json()
        what = f"{seen['bytes']:>5} bytes  {seen['ciphertext']}…" if "bytes" in seen else "no secret: a terminal's certificate"
        say(f"  {seen['type']:<9} {seen['record']:<50} {what}")
    people = [(record, read_record(record, keys)) for record in registry]
    inside = [{"type": record.change.type, "record": record.change.id, **value} for record, value in people if value is not None]
    names = {value["subject"]: value["name"] for value in inside if "subject" in value}
    contents: list[dict[str, Any]] = [{"terminal": row.terminal, "seq": row.seq, "content": read_entry(row, keys)} for row in held]
    say(f"\nwhat {here.organisation} reads in the same rows with its keys:")
    for value in inside:
        say("  " + one_line({key: value[key] for key in value if key not in ("record", "subject")}))
    for one in contents:
        say(f"  {one['terminal']}  entry {one['seq']}  {_in_words(one['content'], names)}")
    kept = {"entries": [row.as_json() for row in held], "registry": [record.as_json() for record in registry]}
    return kept, {"entries": contents, "registry": inside}


def _search(here: Site, needles: list[bytes], say: Say) -> None:
    """Look for what is secret in all that broker and relay had. Raises DemoFailed."""
    seen = [path.read_bytes() for path in here.database_files] + [one.topic.encode() + one.payload for one in here.broker.passed]
    if found := in_clear(seen, needles):
        raise DemoFailed(
            f"{len(found)} of {len(needles)} secrets stand in clear at the broker or in the relay's database; please report it"
        )
    say("\nname, staff number, embedding and time of the punch: none of them is in the relay's files, or in what the broker carried;")
    say("both do see which terminal sends, how much and when, and how its entries are numbered")


def _traffic(passed: list[Passed]) -> list[dict[str, Any]]:
    counted = Counter((one.client, one.topic) for one in passed)
    return [
        {
            "from": client,
            "topic": topic,
            "messages": n,
            "bytes": sum(len(one.payload) for one in passed if (one.client, one.topic) == (client, topic)),
        }
        for (client, topic), n in counted.items()
    ]


def _in_words(content: dict[str, Any], names: dict[int, str]) -> str:
    if content["kind"] != "punch":
        return str(content["kind"])
    at = EPOCH + timedelta(microseconds=content["us"])
    who = names.get(content["subject"], "somebody unknown")
    return f"punch: {at:%Y-%m-%d %H:%M:%S} UTC  {who}  {content['status']}  {content['punctuality']}"
