"""How the way to the relay stands: what waits, what was set aside and why, and the connection."""

from typing import Any

from blinkd.crypto.unlocked import PORTABLE_FILE, has_keyring, load, load_file
from blinkd.settings import Settings
from blinkd.store.database import Store
from blinkd.store.lock import daemon_of
from blinkd.sync.runner import LOCK_FILE, read_state


def standing(settings: Settings, store: Store) -> dict[str, Any]:
    """As `blinkd sync status --json` prints it. Raises KeyMissing, KeyringRefused, StoreError."""
    state = read_state(settings.state_dir) or {}
    running = daemon_of(settings.state_dir, LOCK_FILE) is not None
    organisation = load(settings.state_dir).organisation if has_keyring(settings.state_dir) else None
    counts, people = store.outbox.counts(), store.registry.counts()
    reason = state.get("reason", "") if running else "the sync process does not run"
    if not settings.sync.broker:
        reason = "sync.broker names no broker"
    elif organisation is None:
        reason = "no keyring: `blinkd keys init` or `blinkd keys join`"
    elif missing := _missing_epoch(settings):
        lacks = (
            f"no key of epoch {missing}, by which the others seal now; they cannot open what comes from here: run `blinkd keys export` at "
            "one of them and `blinkd keys join` here, or `blinkd keys rotate` there once this terminal is connected"
        )
        reason = f"{reason}; {lacks}" if reason else lacks
    return {
        "organisation": organisation,
        "terminal": settings.terminal.id,
        "broker": state.get("broker") if running else settings.sync.broker or None,
        "connected": bool(running and state.get("connected")),
        "reason": reason,
        "attendance": {
            "pending": counts["PENDING"],
            "failed": counts["FAILED"],
            "upto": store.outbox.first() - 1,
            "chain": state.get("chain") if running else None,
        },
        "people": {"pending": people["PENDING"], "synced": people["SYNCED"], "failed": people["FAILED"]},
        "registry": {"version": store.timeline.version(), "head": state.get("registry_head") if running else None},
        "set_aside": [{"seq": one.seq, "reason": one.reason, "words": one.words} for one in store.outbox.aside()],
        "refused": [
            {"record": record, "type": kind, "id": local_id, "reason": why} for record, kind, local_id, why in store.registry.refused()
        ],
        "quarantined": [
            {"record": record, "version": version, "reason": why, "words": words}
            for record, version, why, words in store.intake.quarantined()
        ],
        "conflicts": [
            {"at": one.at, "record": one.record, "person_id": one.local_id, "winner": one.winner or None}
            for one in store.registry.conflicts()
        ],
    }


def _missing_epoch(settings: Settings) -> str | None:
    """The current epoch where its keys have not come: a rotation gives them to the terminals that are known where it is done."""
    path = settings.state_dir / PORTABLE_FILE
    current = load_file(path).current if path.exists() else None
    return None if current in load(settings.state_dir).roots else current
