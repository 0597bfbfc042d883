"""What Python sealed, signed and counted, the browser opens, checks and counts the same."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from playwright.sync_api import Page

from blinkd.attendance.ledger import Ledger
from blinkd.attendance.punch import Direction, Punch, Punctuality, SyncState
from blinkd.attendance.reports.period import period_of
from blinkd.attendance.reports.sheet import table
from blinkd.clock import microseconds
from blinkd.crypto.chain import canonical, commitment_of, hash_of, note_digest, subject_of
from blinkd.crypto.encoding import b64
from blinkd.crypto.envelope import SIZES, Envelope, associated_data
from blinkd.crypto.keyring import Keyring, KeyringFile
from blinkd.crypto.sealing import Sealer
from blinkd.crypto.unlocked import unlock
from blinkd.errors import EnvelopeRejected
from blinkd.store.transcript import transcript
from blinkd.sync.messages import Change, change_signed, entry_signed
from tests.browser.dashboard.organisation import ORG, PASSWORD, Organisation

OPEN = """async ({file, password, sealed}) => {
  const {openKeyring} = await import("/dashboard/keys.js"), {Opener} = await import("/dashboard/sealing.js");
  const opener = new Opener(await openKeyring(file, "acme", password));
  return Promise.all(sealed.map(one => opener.open(one.envelope, one.type, one.record).then(text => ["opened", text], why => ["refused", why.reason])));
}"""


@pytest.fixture
def there(page: Page, few_at: str) -> Page:
    """A page from which its modules can be imported."""
    page.goto(f"{few_at}/dashboard/")
    return page


@pytest.fixture(scope="module")
def file() -> KeyringFile:
    """With two old epochs."""
    made = KeyringFile.create(ORG, PASSWORD, date(2026, 1, 1))
    return made.rotated(PASSWORD, date(2026, 2, 1)).rotated(PASSWORD, date(2026, 3, 1))


@pytest.fixture(scope="module")
def keys(file: KeyringFile) -> Keyring:
    with file.opened(PASSWORD) as opened:
        return unlock(file, opened)


def sealed_in(keys: Keyring, epoch: str, terminal: str = "door-1") -> Sealer:
    return Sealer(replace(keys, current=epoch), terminal)


def test_every_type_and_size_of_record_opens_in_every_epoch(there: Page, file: KeyringFile, keys: Keyring) -> None:
    texts = ["", "a", "Ä\u0000𝄞", *("x" * (size - 1) for size in SIZES)]
    sealed, expected = [], []
    for epoch in keys.roots:
        for kind in ("entry", "person"):
            for number, text in enumerate(texts):
                record = f"door-1:{number}"
                sealed.append(
                    {"envelope": sealed_in(keys, epoch).seal(kind, record, text.encode()).to_json(), "type": kind, "record": record}
                )
                expected.append(["opened", text])
    assert there.evaluate(OPEN, {"file": file.to_json(), "password": PASSWORD, "sealed": sealed}) == expected


def test_the_same_password_typed_in_another_form_opens_too(there: Page, file: KeyringFile) -> None:
    for typed in ("Stra\u00dfe findet Kaffee \u00c5 viel Regen", "Stra\u00dfe \ufb01ndet Kaffee A\u030a viel Regen"):
        assert there.evaluate(OPEN, {"file": file.to_json(), "password": typed, "sealed": []}) == []


def test_what_python_refuses_the_browser_refuses_for_the_same_reason(there: Page, file: KeyringFile, keys: Keyring) -> None:
    sealer = sealed_in(keys, keys.current)
    whole = sealer.seal("entry", "door-1:b:7", b"content")
    flipped = {name: bytes([getattr(whole, name)[0] ^ 1]) + getattr(whole, name)[1:] for name in ("ciphertext", "iv", "tag")}
    bound = associated_data(whole.kid, ORG, "entry", "door-1:b:7")
    unpadded = AESGCM(keys.working_key(keys.current, "attendance", "door-1")).encrypt(whole.iv, bytes(1024), bound)
    other = replace(whole, kid=f"{keys.current}.door-2")
    cases: list[tuple[Envelope, str, str]] = [
        (whole, "entry", "door-1:b:7"),
        (whole, "entry", "door-1:b:8"),
        (whole, "entry", "door-2:b:7"),
        (whole, "person", "door-1:b:7"),
        (other, "entry", "door-1:b:7"),
        *((replace(whole, **{name: value}), "entry", "door-1:b:7") for name, value in flipped.items()),
        (replace(whole, kid="00000000.door-1"), "entry", "door-1:b:7"),
        (replace(whole, v=3), "entry", "door-1:b:7"),
        (replace(whole, ciphertext=unpadded[:-16], tag=unpadded[-16:]), "entry", "door-1:b:7"),
    ]
    expected = []
    for envelope, kind, record in cases:
        try:
            expected.append(["opened", sealer.open(envelope, kind, record).decode()])
        except EnvelopeRejected as error:
            expected.append(["refused", error.reason])
    assert {one[1] for one in expected} == {"content", "tampered", "unknown_key", "other_version", "bad_padding"}
    sealed = [{"envelope": envelope.to_json(), "type": kind, "record": record} for envelope, kind, record in cases]
    assert there.evaluate(OPEN, {"file": file.to_json(), "password": PASSWORD, "sealed": sealed}) == expected


def test_a_keyring_that_was_changed_or_is_anothers_does_not_open(there: Page, file: KeyringFile) -> None:
    whole = file.to_json()
    kdf = whole["kdf"]
    cases = {
        "wrong": [(whole, "x" + PASSWORD), (whole | {"revision": 9}, PASSWORD), (whole | {"current": whole["epochs"][0]["kid"]}, PASSWORD)],
        "refused": [
            (whole | {"organisation": "other"}, PASSWORD),
            (whole | {"kdf": kdf | {"iterations": 1000}}, PASSWORD),
            (whole | {"kdf": kdf | {"iterations": 10**9}}, PASSWORD),
            (whole | {"kdf": kdf | {"name": "scrypt"}}, PASSWORD),
            (whole | {"v": 2}, PASSWORD),
            (whole | {"wrapped": {}}, PASSWORD),
            ({}, PASSWORD),
        ],
    }
    script = """async ({file, password}) => {
      const {openKeyring, WrongPassword, KeyringRefused} = await import("/dashboard/keys.js");
      return openKeyring(file, "acme", password).then(() => "opened", why => why instanceof WrongPassword ? "wrong" : why instanceof KeyringRefused ? "refused" : String(why));
    }"""
    for expected, given in cases.items():
        for changed, password in given:
            assert there.evaluate(script, {"file": changed, "password": password}) == expected, changed


def test_no_key_can_be_read_out_again(there: Page, file: KeyringFile) -> None:
    script = """async ({file, password}) => {
      const {openKeyring, workingKey} = await import("/dashboard/keys.js");
      const keys = await openKeyring(file, "acme", password);
      const all = [...keys.roots.values(), keys.index, await workingKey(keys, keys.current, "attendance", "door-1")];
      return Promise.all(all.map(one => crypto.subtle.exportKey("raw", one).then(() => one.extractable, () => "kept")));
    }"""
    assert there.evaluate(script, {"file": file.to_json(), "password": PASSWORD}) == ["kept"] * 5


def test_hashes_names_and_what_is_signed_are_the_same(there: Page, few: Organisation) -> None:
    chance = random.Random(3)
    keys = few.keys
    contents = [
        {"kind": "punch", "us": 2**53 - 1, "z": None, "a": [True, False, {"é": '\u2028\u007f\u0001"\\/𝄞'}], "minutes": -12, "Z": ""},
        *({f"k{chance.randrange(99)}": chance.randrange(-(2**53), 2**53) for _ in range(5)} for _ in range(20)),
    ]
    salt, prev = bytes(range(16)), bytes(range(32))
    envelope = Sealer(keys, "door-1").seal("entry", "r", b"x")
    change = Change("0" * 32, "person", 7, 2**40, None, None, b"")
    expected = {
        "canonical": [canonical(one).decode() for one in contents],
        "commitments": [b64(commitment_of(salt, one)) for one in contents],
        "hash": b64(hash_of("3a1e6d6c-31f4-4b7e-9d0c-a5f9a3d5f001", 2**33, prev, prev)),
        "note": note_digest(salt, "Grüße"),
        "subject": subject_of(salt, "E-1"),
        "record": keys.person_record("E-ü"),
        "digest": b64(envelope.digest()),
        "entry": b64(entry_signed(ORG, "door-1", prev, envelope.digest())),
        "nothing": b64(entry_signed(ORG, "door-1", prev, bytes(32))),
        "deletion": b64(change_signed(ORG, "door-1", change)),
        "again": b64(change_signed(ORG, "door-1", replace(change, again=True))),
    }
    script = """async ({contents, envelope, file, password, change}) => {
      const bytes = await import("/dashboard/bytes.js"), chain = await import("/dashboard/chain.js");
      const {digestOf} = await import("/dashboard/sealing.js"), {openKeyring, personRecord} = await import("/dashboard/keys.js");
      const b64 = one => btoa(String.fromCharCode(...one));
      const salt = Uint8Array.from({length: 16}, (_, at) => at), prev = Uint8Array.from({length: 32}, (_, at) => at);
      return {
        canonical: contents.map(bytes.canonical),
        commitments: (await Promise.all(contents.map(one => chain.commitmentOf(salt, one)))).map(b64),
        hash: b64(await chain.hashOf("3a1e6d6c-31f4-4b7e-9d0c-a5f9a3d5f001", 2 ** 33, prev, prev)),
        note: await chain.noteDigest(salt, "Grüße"),
        subject: await chain.subjectOf(salt, "E-1"),
        record: await personRecord(await openKeyring(file, "acme", password), "E-ü"),
        digest: b64(await digestOf(envelope)),
        entry: b64(await chain.entrySigned("acme", "door-1", prev, envelope)),
        nothing: b64(await chain.entrySigned("acme", "door-1", prev, null)),
        deletion: b64(chain.deletionSigned("acme", change)),
        again: b64(chain.deletionSigned("acme", {...change, again: true})),
      };
    }"""
    given = {"contents": contents, "envelope": envelope.to_json(), "file": few.keyring.to_json(), "password": PASSWORD}
    assert there.evaluate(script, given | {"change": change.to_json() | {"terminal": "door-1"}}) == expected


def test_local_times_are_those_of_pythons_time_zones(there: Page) -> None:
    chance = random.Random(5)
    zones = [
        "UTC",
        "Europe/Berlin",
        "Europe/Lisbon",
        "America/New_York",
        "America/Santiago",
        "Asia/Kolkata",
        "Asia/Kathmandu",
        "Australia/Lord_Howe",
    ]
    zones += ["Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati", "America/St_Johns", "Africa/Cairo"]
    spans = [(datetime(2026, 3, 28, tzinfo=UTC), 72), (datetime(2026, 10, 24, tzinfo=UTC), 72), (datetime(2026, 1, 1, tzinfo=UTC), 8760)]
    moments = [begin + timedelta(seconds=chance.randrange(hours * 3600)) for begin, hours in spans for _ in range(40)]
    expected = {
        name: [
            [local.isoformat(), local.date().isoformat(), local.hour, microseconds(datetime.combine(local.date(), time.min, tzinfo=zone))]
            for moment in moments
            if (local := moment.astimezone(zone))
        ]
        for name in zones
        if (zone := ZoneInfo(name))
    }
    script = """async ({zones, moments}) => {
      const {Zone, isoDate} = await import("/dashboard/days.js");
      return Object.fromEntries(zones.map(name => {
        const zone = new Zone(name);
        return [name, moments.map(us => [zone.iso(us), isoDate(zone.date(us)), zone.hour(us), zone.begin(zone.date(us))])];
      }));
    }"""
    assert there.evaluate(script, {"zones": zones, "moments": [microseconds(one) for one in moments]}) == expected


def test_periods_begin_and_end_as_those_of_the_reports(there: Page) -> None:
    days = [date(2023, 12, 28) + timedelta(days=number) for number in range(0, 1200, 3)]
    expected = [
        [period.first.isoformat(), period.last.isoformat()]
        for day in days
        for kind in ("day", "week", "month")
        if (period := period_of(kind, day.isoformat(), day))
    ]
    script = """async days => {
      const {dateOf, isoDate, periodOf} = await import("/dashboard/days.js");
      return days.flatMap(day => ["day", "week", "month"].map(kind => Object.values(periodOf(kind, dateOf(day))).map(isoDate)));
    }"""
    assert there.evaluate(script, [day.isoformat() for day in days]) == expected


def test_tables_for_spreadsheets_are_byte_for_byte_pythons(there: Page) -> None:
    texts = [
        "",
        "plain",
        "=1+1",
        "  =1",
        "+49 30",
        "-5",
        "@x",
        "\tx",
        "\rx",
        "\nx",
        "＝1",
        "＋1",
        "－1",
        "＠x",
        'say "x", then',
        "a\r\nb",
        "Ä𝄞",
        "'=1",
    ]
    rows = [[text, number, None] for number, text in enumerate(texts, -3)]
    script = """async rows => (await import("/dashboard/csv.js")).table(["name", "=number", "empty"], rows)"""
    assert there.evaluate(script, rows).encode() == table(["name", "=number", "empty"], rows, bom=True)


def test_who_leaves_after_midnight_leaves_the_day_before(there: Page) -> None:
    script = """async moments => {
      const {Zone} = await import("/dashboard/days.js"), {byPerson, count, inNow} = await import("/dashboard/figures.js");
      const punch = ([us, status], seq) => ({us, status, seq, subject: 1, counts: true, certainty: "certain", state: "valid", punctuality: "ON_TIME", minutes: 0, terminal: "t"});
      const punches = moments.map(punch), zone = new Zone("Europe/Berlin"), people = byPerson(punches);
      const now = moments.at(-1)[0] + 1;
      const {days} = count(people, punches, 20575, 20577, {zone, now, since: -Infinity, chains: []});
      return [days.map(one => [one.came, one.punches]), inNow(people, now).length, inNow(people, now + 17 * 3600e6).length];
    }"""
    zone = ZoneInfo("Europe/Berlin")
    at = lambda day, hour: microseconds(datetime(2026, 5, day, hour, tzinfo=zone))  # noqa: E731
    night = [[at(2, 22), "CHECK_IN"], [at(3, 6), "CHECK_OUT"], [at(3, 22), "CHECK_IN"], [at(4, 6), "CHECK_OUT"]]
    assert date(1970, 1, 1) + timedelta(days=20575) == date(2026, 5, 2)
    assert there.evaluate(script, night) == [[[1, 2], [1, 2], [0, 0]], 0, 0]
    assert there.evaluate(script, night[:3]) == [[[1, 2], [1, 1], [0, 0]], 1, 0]


def test_punches_stand_as_the_terminals_own_log_has_them(there: Page, few: Organisation, token: str) -> None:
    script = """async ({token, password}) => {
      const {Relay} = await import("/dashboard/relay.js"), {openKeyring} = await import("/dashboard/keys.js");
      const {Opening} = await import("/dashboard/opening.js"), {Loader} = await import("/dashboard/loader.js");
      const relay = new Relay("", token), opening = new Opening();
      const {organisation, keyring} = await relay.keyring();
      await opening.keys(await openKeyring(keyring.open, organisation, password));
      const loader = new Loader(relay, opening, () => {});
      await loader.begin();
      await Promise.all([loader.load(-Infinity), loader.loadPeople()]);
      const punches = loader.punches(new Set(["door-1", "door-2"]));
      return punches.map(one => ({...one, name: loader.people.get(one.subject)?.name ?? null}));
    }"""
    found = there.evaluate(script, {"token": token, "password": PASSWORD})
    for name, desk in few.desks.items():
        names = {person.subject: person.name for person in desk.store.people.all()}
        expected = [_line(one) for one in transcript(desk.store.book, name, names=names)]
        own = sorted((one for one in found if one["terminal"] == name), key=lambda one: one["seq"])
        assert [_said(one) for one in own] == expected
    assert {one["state"] for one in found} == {"valid", "voided", "amended", "added", "disowned"}
    assert {one["certainty"] for one in found} == {"certain", "corrected", "uncertain"}


def _line(line: dict[str, Any]) -> dict[str, Any]:
    """Of `blinkd log --json`."""
    recorded = line["recorded"] and {"us": _us(line["recorded"]["timestamp"]), "status": line["recorded"]["status"]}
    trail = [
        (one["seq"], one["what"], one["timestamp"] and _us(one["timestamp"]), one["status"], one["by"], one["why"])
        for one in line["corrections"]
    ]
    names = ("id", "seq", "name", "status", "punctuality", "minutes", "shift", "certainty", "state")
    return {name: line[name] for name in names} | {"us": _us(line["timestamp"]), "recorded": recorded, "trail": trail}


def _said(one: dict[str, Any]) -> dict[str, Any]:
    """Of the browser."""
    trail = [(step["seq"], step["what"], step["us"], step["status"], step["by"], step["why"]) for step in one["trail"]]
    names = ("id", "seq", "name", "status", "punctuality", "minutes", "shift", "certainty", "state", "us", "recorded")
    return {name: one[name] for name in names} | {"trail": trail}


def _us(text: str) -> int:
    return microseconds(datetime.fromisoformat(text))


def test_random_histories_stand_the_same(there: Page) -> None:
    histories = [list(_history(random.Random(seed))) for seed in range(100)]
    script = """async histories => {
      const {Book} = await import("/dashboard/ledger.js");
      return histories.map(entries => {
        const book = new Book("door-1", "b");
        for (const one of [...entries].reverse()) book.add([one]);  // the newest comes first
        return book.standing().filter(one => one.recorded).map(one => [one.seq, one.us, one.status, one.state, one.certainty, one.counts]);
      });
    }"""
    assert there.evaluate(script, histories) == [_stand(one) for one in histories]


def _history(chance: random.Random) -> Iterator[dict[str, Any]]:
    start = datetime(2026, 5, 4, 6, tzinfo=UTC)
    for seq in range(1, 30):
        us = microseconds(start + timedelta(minutes=seq))
        boot, clock = chance.choice(["a", "b"]), chance.choice(["synced", "unsynced"])
        wall = us if clock == "synced" else chance.choice([us, 5_000_000])
        at = {"us": us, "boot_us": seq * 60_000_000, "boot_id": boot, "clock": "synced"}
        kind = chance.choice(["punch", "punch", "correction", "disowned", "clock"])
        target = chance.randrange(1, seq + 1)
        if kind == "punch":
            content = _punch(seq, wall, boot, clock, chance).content()
        elif kind == "clock":
            content = {"kind": kind, "boot_id": boot, "boot_us": seq * 60_000_000 + chance.randrange(9), "us": us, "at": at}
        elif kind == "disowned":
            content = {"kind": kind, "target": target, "subject": 1, "at": at}
        else:
            what = chance.choice(["void", "uphold", "amend", "amend"])
            changes = {"us": us + 7} if what == "amend" and chance.random() < 0.6 else {}
            changes |= {"status": "CHECK_OUT"} if what == "amend" and (not changes or chance.random() < 0.4) else {}
            content = {"kind": kind, "what": what, "by": "x", "target": target, "subject": 1, "at": at, **changes}
        yield {"seq": seq, "content": content, "note": None}


def _punch(seq: int, wall: int, boot: str, clock: str, chance: random.Random) -> Punch:
    utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=wall)
    status = chance.choice(list(Direction))
    rest = (clock, status, Punctuality.ON_TIME, 0, None, "door-1", 0.5, SyncState.PENDING)
    return Punch(f"id-{seq}", seq, 1, "E-1", utc, float(seq * 60), boot, *rest)


def _stand(history: list[dict[str, Any]]) -> list[list[Any]]:
    ledger = Ledger.of(
        (one["seq"], one["content"], None) for one in history if one["content"]["kind"] in ("clock", "correction", "disowned")
    )
    found = []
    for one in history:
        said = one["content"]
        if said["kind"] != "punch":
            continue
        utc = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=said["us"])
        rest = (said["clock"], Direction(said["status"]), Punctuality.ON_TIME, 0, None, "door-1", 0.5, SyncState.PENDING)
        standing = ledger.standing(Punch(said["id"], one["seq"], 1, "E-1", utc, said["boot_us"] / 1e6, said["boot_id"], *rest))
        counts = standing.counts and (standing.plausible or standing.certainty != "uncertain")
        found.append([one["seq"], microseconds(standing.utc), str(standing.status), standing.state, standing.certainty, counts])
    return found
