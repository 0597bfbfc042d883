"""What was done by the terminal's pages, and by whom; it only grows."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from peewee import SqliteDatabase

from blinkd.clock import Instant, microseconds, moment_of
from blinkd.store.outbox import Guard

Outcome = Literal["done", "refused", "failed"]
LONGEST_TARGET, LONGEST_REASON = 200, 200  # characters

COLUMNS = """SELECT audit.seq, audit.us, audit.clock, audit.operator, operators.name, audit.roles, audit.action, audit.target, audit.outcome,
    audit.reason FROM audit LEFT JOIN operators ON operators.id = audit.operator"""


@dataclass(frozen=True, slots=True)
class Act:
    """One line. operator: None where nobody was signed in; name: what they are called now; roles: those they had then; target: ids only."""

    seq: int
    utc: datetime
    clock: str
    operator: int | None
    name: str | None
    roles: tuple[str, ...]
    action: str
    target: str
    outcome: Outcome
    reason: str


class AuditLog:
    """Acts, by their number."""

    def __init__(self, database: SqliteDatabase, guard: Guard, reading: Guard) -> None:
        self._database = database
        self._guard = guard
        self._reading = reading

    def append(
        self,
        at: Instant,
        operator: int | None,
        roles: frozenset[str] | tuple[str, ...],
        action: str,
        target: str = "",
        outcome: Outcome = "done",
        reason: str = "",
    ) -> None:
        """Add one; within a transaction it stands or falls with what it tells of. Raises StoreError."""
        with self._guard():
            self._database.execute_sql(
                "INSERT INTO audit (us, boot_s, boot_id, clock, operator, roles, action, target, outcome, reason) VALUES (?,?,?,?,?,?,?,?,?,?)",
                (
                    microseconds(at.utc),
                    at.boot_s,
                    at.boot_id,
                    at.confidence,
                    operator,
                    ",".join(sorted(roles)),
                    action,
                    _one_line(target[:LONGEST_TARGET]),
                    outcome,
                    _one_line(reason[:LONGEST_REASON]),
                ),
            )

    def count(self) -> int:
        """How many there are."""
        with self._reading():
            return int(self._database.execute_sql("SELECT coalesce(max(seq), 0) FROM audit").fetchone()[0])  # none is ever deleted

    def newest(self, most: int, skip: int = 0) -> list[Act]:
        """The newest first; skip: so many of the newest are left out."""
        with self._reading():
            rows = self._database.execute_sql(f"{COLUMNS} ORDER BY audit.seq DESC LIMIT ? OFFSET ?", (most, skip)).fetchall()
        return [
            Act(int(seq), moment_of(us), clock, operator, name, tuple(filter(None, roles.split(","))), action, target, outcome, reason)
            for seq, us, clock, operator, name, roles, action, target, outcome, reason in rows
        ]


def _one_line(text: str) -> str:
    """Without what a terminal or a log would take for another line or for a command: what somebody typed must not look like another act."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)
