"""Keys, certificates, broker and relay: whether what is recorded here reaches the others."""

import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from blinkd.clock import BUILT, Clock
from blinkd.crypto.unlocked import has_keyring, load
from blinkd.doctor.check import Check, Status
from blinkd.fleet.expiry import RENEW, WARN_DAYS, expiry_of
from blinkd.fleet.placing import FOLDER, PLAN
from blinkd.settings import Settings
from blinkd.store.database import DATABASE_FILE, Store
from blinkd.store.lock import daemon_of
from blinkd.sync.link import Broker, explain, tls_context
from blinkd.sync.runner import LOCK_FILE, identity_of, read_state

CONNECT_S = 5.0  # for TCP and TLS
REFUSAL_S = 1.0  # in which a broker that takes no such certificate says so: in TLS 1.3 only after the handshake
MANY_WAIT = 1_000  # entries: some days of a door, which no ordinary outage lasts

Probe = Callable[[Broker, bool], datetime]


def keyring(settings: Settings) -> Check:
    """Whether the terminal belongs to an organisation and has its keys; and whether an installation was left half-way."""
    if (settings.state_dir / FOLDER / PLAN).exists():
        detail = f"{settings.state_dir / FOLDER}: an installation was interrupted when all of it had been written"
        return Check("keyring", "fail", detail, "run the same `blinkd fleet install` once more, which ends it")
    if not has_keyring(settings.state_dir):
        if settings.sync.broker:
            fix = "run blinkd fleet claim, blinkd fleet install BUNDLE or blinkd keys join FILE"
            return Check("keyring", "fail", "sync.broker is set, and this terminal belongs to no organisation", fix)
        return Check("keyring", "ok", "none, and none is needed: sync.broker names no broker")
    held = load(settings.state_dir)
    held.wipe()
    return Check("keyring", "ok", f"of {held.organisation}, epoch {held.current}, {len(held.roots)} epochs")


def certificate(settings: Settings, clock: Clock) -> Check:
    """The terminal's certificate, and the days that it has left."""
    found = expiry_of(settings, clock.now())
    fixes = {
        "missing": "run blinkd fleet claim or blinkd fleet request, and install the answer",
        "unreadable": "install it again: blinkd fleet install",
        "early": "put the clock right, here or at the authority",
        "soon": RENEW,
        "over": RENEW,
    }
    levels: dict[str, Status] = {"missing": "fail", "unreadable": "fail", "early": "fail", "over": "fail", "soon": "warn"}
    return Check("certificate", levels.get(found.state, "ok"), found.words, fixes.get(found.state, ""))


def broker(settings: Settings, clock: Clock, probe: "Probe | None" = None) -> Check:
    """Whether the broker is reached and takes the certificate. It is not spoken to: a second client would end the first one's session."""
    if not settings.sync.broker:
        return Check("broker", "ok", "sync.broker names none: everything waits here")
    state = read_state(settings.state_dir) or {}
    if daemon_of(settings.state_dir, LOCK_FILE) is not None and state.get("connected"):
        return Check("broker", "ok", f"the sync process is connected to {state.get('broker')}")
    if not has_keyring(settings.state_dir):
        return Check("broker", "warn", "not tried: there is no keyring yet", "see keyring above")
    held = load(settings.state_dir)
    held.wipe()
    target = identity_of(settings, held.organisation).broker
    where, now = f"{target.host}:{target.port}", clock.now()
    try:
        until = (probe or reach)(target, now.utc >= BUILT)
    except OSError as error:
        away = "everything waits here until it is reached again; check network, name and port, and the broker's log"
        return Check("broker", "warn", explain(error, target), away)
    if now.confidence == "synced" and until - now.utc <= timedelta(days=WARN_DAYS):
        fix = "run `blinkd fleet issue-broker` at the authority, and bring the broker its new certificate"
        return Check("broker", "warn", f"{where} is reached; its certificate ends on {until:%Y-%m-%d}", fix)
    return Check("broker", "ok", f"{where} is reached and takes this terminal's certificate; its own is valid until {until:%Y-%m-%d}")


def relay(settings: Settings) -> Check:
    """What the relay has, by the last that the sync process knew."""
    if not settings.sync.broker or not (settings.state_dir / DATABASE_FILE).exists():
        return Check("relay", "ok", "nothing is to be sent")
    with Store.open(settings.state_dir, settings.store, read_only=True) as store:
        entries, people = store.outbox.counts(), store.registry.counts()
    state = read_state(settings.state_dir) or {}
    waiting, failed = entries["PENDING"] + people["PENDING"], entries["FAILED"] + people["FAILED"]
    running = daemon_of(settings.state_dir, LOCK_FILE) is not None
    chain = state.get("chain") or {}
    detail = f"{waiting} entries and changes wait for its receipt, {failed} were refused"
    if chain.get("state") not in (None, "ok"):
        return Check(
            "relay", "fail", f"{detail}; it finds the chain {chain['state']}: {chain.get('detail') or ''}", "run blinkd log verify here"
        )
    if failed:
        return Check("relay", "warn", detail, "run blinkd sync status, which says which ones and why")
    if not running:
        return Check("relay", "warn", f"{detail}; the sync process does not run", "start the daemon: systemctl start blinkd")
    if waiting and state.get("connected"):
        return Check(
            "relay", "warn", f"{detail}; the broker is there, the relay has not answered yet", "run blinkd relay check on the relay"
        )
    if waiting >= MANY_WAIT:
        return Check("relay", "warn", detail, "see broker above")
    return Check("relay", "ok", detail)


def reach(target: Broker, check_time: bool) -> datetime:
    """Connect by TLS as the sync process does, and leave; until when the broker's certificate is valid, aware. Raises OSError, ConfigError."""
    context = tls_context(target, check_time=check_time)
    with (
        socket.create_connection((target.host, target.port), CONNECT_S) as plain,
        context.wrap_socket(plain, server_hostname=target.host) as line,
    ):
        line.settimeout(REFUSAL_S)
        try:
            if not line.recv(1):
                raise ConnectionResetError(
                    None, f"{target.host}:{target.port}: ended at once; it may have refused this terminal's certificate"
                )
        except TimeoutError:
            pass  # it waits for a greeting, so it has taken the certificate
        shown = line.getpeercert() or {}
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(shown["notAfter"])), UTC)
