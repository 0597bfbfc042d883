"""What the terminal keeps: space, database, book."""

import shutil
from datetime import timedelta
from pathlib import Path

from blinkd.attendance.proof import in_order, prove
from blinkd.backup.making import backups, folder_of
from blinkd.crypto.signing import Signer
from blinkd.doctor.check import Check
from blinkd.errors import BackupRefused, KeyMissing
from blinkd.parts import Parts
from blinkd.settings import Settings
from blinkd.store.anchors import head_file, other_heads
from blinkd.store.database import DATABASE_FILE
from blinkd.upkeep import last_run

UPKEEP_LATE = timedelta(days=3)
BACKUP_LATE = timedelta(days=2)
CHAIN_MOST = 5_000  # entries whose signatures are checked here, in about a second; `blinkd log verify` checks any number


def state(settings: Settings) -> Check:
    """Whether there is room."""
    folder = settings.state_dir
    there = next((parent for parent in (folder, *folder.parents) if parent.exists()), Path("/"))
    free = shutil.disk_usage(there).free // 2**20
    wanted = settings.store.min_free_mb
    if free < wanted:
        return Check("state", "warn", f"{folder}: {free} MB free", f"free some space: at least {wanted} MB are wanted")
    return Check("state", "ok", f"{folder}: {free} MB free")


def database(parts: Parts) -> Check:
    """Whether it is sound, and everybody can be recognised by the model in force."""
    if not (parts.settings.state_dir / DATABASE_FILE).exists():
        return Check("store", "warn", "no database yet", "enrol somebody, or start the daemon")
    with parts.open_store(read_only=True) as store:
        parts.gallery(store)  # every template opens
        people, lacking = len(store.people.all()), len(store.people.lacking(parts.model_id))
    if lacking:
        detail = f"{people} people, of whom {lacking} have no template of {parts.model_id}, the model in force"
        return Check("store", "warn", detail, "enrol them again: blinkd people list says whom")
    return Check("store", "ok", f"integrity checked, {people} people")


def chain(parts: Parts) -> Check:
    """Whether nothing in the book was edited, dropped or reordered."""
    folder = parts.settings.state_dir
    if not (folder / DATABASE_FILE).exists():
        return Check("chain", "ok", "no book yet")
    key = _public(folder)
    with parts.open_store(read_only=True) as store:
        head = store.book.head()
        if head is None:
            return Check("chain", "ok", "no book yet")
        if head.seq > CHAIN_MOST:
            anchor = head_file(folder, key)
            if anchor is not None and anchor.seq > head.seq:
                lost = f"the book ends at entry {head.seq}, and {anchor.source} knows of entry {anchor.seq}"
                return Check("chain", "fail", lost, "its end was cut off, or an old copy put back: run blinkd log verify")
            return Check("chain", "ok", f"{head.seq} entries, too many to check here; blinkd log verify checks all of them")
        entries, strays = store.book.audit()
        noted = [one for one in (head_file(folder, key), *other_heads(folder, key)) if one is not None]
        proof = prove(in_order(entries, strays), noted, key)
    if proof.first_bad is not None:
        seq, why = proof.first_bad
        return Check("chain", "fail", f"entry {seq}: {why}", "keep the database as it is, and run blinkd log verify, which tells more")
    return Check("chain", "ok", f"{proof.entries} entries prove whole")


def upkeep(parts: Parts) -> Check:
    """Whether what is done once a day was done."""
    if not (parts.settings.state_dir / DATABASE_FILE).exists():
        return Check("upkeep", "ok", "nothing to keep up yet")
    with parts.open_store(read_only=True) as store:
        last, begun = last_run(store), store.book.head() is not None
    fix = "run blinkd upkeep, or let the daemon run, which does it once a day"
    if last is None:
        return Check("upkeep", "warn", "has never run", fix) if begun else Check("upkeep", "ok", "nothing to keep up yet")
    detail = f"last run {last:%Y-%m-%d %H:%M} UTC"
    late = not timedelta(0) <= parts.clock.now().utc - last <= UPKEEP_LATE
    return Check("upkeep", "warn", detail, fix) if late else Check("upkeep", "ok", detail)


def backup(parts: Parts) -> Check:
    """Whether there is a recent one."""
    settings, fix = parts.settings, "run blinkd backup create, and see what it says"
    if settings.backup.folder is None:
        if settings.sync.broker:
            return Check("backup", "ok", "none; what the relay has comes back from there")
        return Check("backup", "warn", "none, and no relay: all is lost with the card", "name a folder of another disk in [backup]")
    try:
        found = backups(folder_of(settings), settings.terminal.id)
    except BackupRefused as error:
        return Check("backup", "warn", str(error), fix)
    if not found:
        return Check("backup", "warn", f"{settings.backup.folder}: none of this terminal yet", fix)
    path, header = found[-1]
    detail = f"{len(found)}, the newest of {header.made:%Y-%m-%d %H:%M} UTC: {path}"
    if not timedelta(0) <= parts.clock.now().utc - header.made <= BACKUP_LATE:
        return Check("backup", "warn", detail, fix)
    return Check("backup", "ok", detail)


def _public(folder: Path) -> bytes | None:
    try:
        return Signer.load(folder, create=False).public
    except KeyMissing:
        return None
