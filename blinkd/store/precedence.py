"""Which stands, where a record comes that is here already: what came, or what is here."""

import json
from dataclasses import replace

from peewee import SqliteDatabase

from blinkd.store.registry import CONFLICT, FORGED, WAITING, Registry, Waiting
from blinkd.store.replica import PersonReplica
from blinkd.store.timeline import NOBODY, Incoming


class Precedence:
    """Judges by what the registry knows, and changes nothing."""

    def __init__(self, database: SqliteDatabase, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def own(self, one: Incoming) -> Waiting | None:
        """What is here of a record: known to the registry, or, where somebody was enrolled here under the same id, not yet."""
        row = self._database.execute_sql(f"SELECT {WAITING} FROM registry WHERE record = ?", (one.record,)).fetchone()
        if row is not None:
            return Waiting(*row)
        local_id = None if one.replica is None else one.replica.id
        if (
            local_id is not None
            and self._database.execute_sql(
                "SELECT 1 FROM registry_changes WHERE type = ? AND local_id = ?", (one.type, local_id)
            ).fetchone()
        ):
            return Waiting(one.record, one.type, local_id, 0, 0)
        return None

    def waits(self, own: Waiting) -> bool:
        """Whether a change of it has not reached the relay."""
        sql = f"SELECT 1 FROM registry WHERE record = ? AND (sync = 'PENDING' OR reason = '{CONFLICT}') UNION ALL SELECT 1 FROM registry_changes WHERE type = ? AND local_id = ?"
        return self._database.execute_sql(sql, (own.record, own.type, own.local_id)).fetchone() is not None

    def is_old(self, here: str, one: Incoming, own: Waiting) -> bool:
        """Whether what a page shows as new was made before what stands here: nobody signs for a page, so whoever stands between the relay and
        this terminal, or is the relay, can show old changes again.

        The relay's own rules tell: new is what its author made knowing what stands here, or after it, being its author too; every deletion; what
        was changed where somebody had only brought the same version again; and what was brought again of a later version than was known here.
        """  # fmt: skip
        if own.version == 0 or one.deleted or one.refused is not None or one.base >= own.version:
            return False
        author, edit, base, again, deleted = self._database.execute_sql(
            "SELECT author, author_edit, author_base, author_again, deleted FROM registry WHERE record = ?", (one.record,)
        ).fetchone()
        if author == NOBODY and not deleted:
            return False
        author, edit = (here, own.edit) if author is None else (str(author), int(edit or 0))
        if one.author == author and one.edit > edit:
            return False
        if base is not None and again and (one.base == base if deleted else one.base >= base):
            return False
        if base is not None and one.again and one.base > base and not deleted:
            return False
        return not self.says_the_same(one, own)  # after a relay was put back, another terminal may send what stands here

    def stands(self, one: Incoming, pending: Waiting, lost: bool) -> bool:
        """Whether what waits here stands against what the relay has."""
        repeats = self.repeats(pending)
        if pending.deleted:  # against whatever was not made knowing of it
            return not (repeats and one.base == pending.version)
        if one.deleted:
            return one.again and not repeats and pending.version == one.base
        if one.again:  # versions of what the relay has lost: of these the later stands, and what was changed here after the same one
            return pending.version > one.base or (pending.version == one.base and not repeats)
        return lost and self._made(pending) > one.base  # its author did not know of what is here

    def overrules(self, one: Incoming, pending: Waiting) -> bool:
        """Whether a change is lost when what waits here stands against it: somebody should know."""
        return one.replica is not None and not one.again and not pending.deleted

    def _made(self, pending: Waiting) -> int:
        """The version that what is here was made as, or a later one by which somebody has only brought it again."""
        row = self._database.execute_sql("SELECT author_base, author_again FROM registry WHERE record = ?", (pending.record,)).fetchone()
        return min(int(row[0]), pending.version) if row is not None and row[1] and row[0] is not None else pending.version

    def repeats(self, pending: Waiting) -> bool:
        """Whether nothing has changed here, and what waits only brings a relay again what it has lost."""
        return bool(pending.again) and not self.is_noted(pending)

    def is_noted(self, own: Waiting) -> bool:
        """Whether it has changed here since it was last given its place in the registry."""
        sql = "SELECT 1 FROM registry_changes WHERE type = ? AND local_id = ?"
        return self._database.execute_sql(sql, (own.type, own.local_id)).fetchone() is not None

    def is_what_waits(self, one: Incoming, pending: Waiting) -> bool:
        """Whether this terminal's change that the relay has is the one that waits: another can have the same number where the terminal was put
        back from a back-up, or another machine bore its name before.
        """  # fmt: skip
        if one.edit != pending.edit or (one.refused is not None and one.refused[0] in FORGED):
            return False
        return one.refused is not None or self.is_noted(pending) or self.says_the_same(one, pending)

    def says_the_same(self, one: Incoming, pending: Waiting) -> bool:
        """Whether another terminal has sent what this one would: both bring a relay again what it has lost."""
        if one.said is not None or one.deleted:
            return one.deleted == pending.deleted and (pending.open is None or one.said == json.loads(pending.open))
        if pending.local_id is None or one.replica is None:
            return False
        if one.type == "template":
            return one.replica.id == pending.local_id  # templates are never changed
        own = self._registry.replica(one.type, pending.local_id)
        if isinstance(own, PersonReplica) and isinstance(one.replica, PersonReplica) and one.replica.credentials is None:
            own = replace(own, credentials=None)  # of what the author does not know of nothing is said
        return own == one.replica
