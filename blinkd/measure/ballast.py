"""A store as full as a large site's after weeks, for the bench: made by the schema's own rules, but not signed entry by entry."""

import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from blinkd.clock import microseconds
from blinkd.crypto.at_rest import TemplateCipher, template_key
from blinkd.crypto.chain import new_salt, subject_of
from blinkd.store.database import Store

MINUTE_US = 60 * 1_000_000
A_DAY = 2  # punches a person
LONG_AGO = timedelta(days=400)  # when everybody was enrolled


def fill(store: Store, people: int, punches: int, now: datetime, zone: ZoneInfo, model_id: str, dimension: int) -> None:
    """Put people with one template each and that many punches into an empty store: an IN and an OUT a day each, the newest of them today.

    The chain's rows are there in number and size, with random bytes in the place of hashes.
    """
    store.book.begin()
    key = template_key(store.path.parent, create=True)
    chance = np.random.default_rng(42)
    salts = [new_salt() for _ in range(people)]
    subjects = [subject_of(salt, f"P-{number:05d}") for number, salt in enumerate(salts)]
    with store.transaction():
        connection = store.connection()
        connection.executemany(
            "INSERT INTO people (id, name, status, enrolled_at, subject, salt) VALUES (?, ?, 'ACTIVE', ?, ?, ?)",
            (
                (f"P-{number:05d}", f"Person {number:05d}", (now - LONG_AGO).isoformat(), subject, salts[number])
                for number, subject in enumerate(subjects)
            ),
        )
        connection.executemany(
            "INSERT INTO templates (id, person_id, model_id, dimension, sealed, quality, source, created_at, view, label, moment) "
            "VALUES (?, ?, ?, ?, ?, 0.8, 'bench', ?, 'front', '', ?)",
            _templates(people, TemplateCipher(key), model_id, dimension, now, chance),
        )
        connection.executemany(
            "INSERT INTO punches VALUES (?, ?, ?, ?, ?, 'bench', 'synced', ?, 'ON_TIME', 0, 'day', 'terminal-1', 0.7, 'face')",
            _punches(subjects, punches, now, zone, chance),
        )
        connection.execute(
            "INSERT INTO chain SELECT seq, randomblob(16), randomblob(32), randomblob(32), randomblob(64), 'SYNCED' FROM punches"
        )


def _templates(
    people: int, cipher: TemplateCipher, model_id: str, dimension: int, now: datetime, chance: np.random.Generator
) -> Iterator[tuple[object, ...]]:
    for number in range(people):
        vector = chance.standard_normal(dimension).astype(np.float32)
        vector /= np.linalg.norm(vector)
        template, person = str(uuid.uuid4()), f"P-{number:05d}"
        yield template, person, model_id, dimension, cipher.seal(template, person, model_id, vector), now.isoformat(), template


def _punches(subjects: list[int], punches: int, now: datetime, zone: ZoneInfo, chance: np.random.Generator) -> Iterator[tuple[object, ...]]:
    """By time, as a terminal would have recorded them: each day everybody in about 9 o'clock and out about 17 o'clock."""
    days = -(-punches // (A_DAY * len(subjects)))
    today = now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    seq = 0
    for back in range(days - 1, -1, -1):
        midnight = microseconds(today - timedelta(days=back))
        for hour, status in ((9, "CHECK_IN"), (17, "CHECK_OUT")):
            spread = np.sort(chance.normal(0, 15, len(subjects)))
            order = chance.permutation(len(subjects))
            for minute, who in zip(spread.tolist(), order.tolist(), strict=True):
                if seq == punches:
                    return
                seq += 1
                us = midnight + int((hour * 60 + minute) * MINUTE_US)
                yield seq, f"b-{seq}", subjects[who], us, float(seq), status
