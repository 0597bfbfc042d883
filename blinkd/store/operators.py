"""Who may work with the terminal's pages, and in which roles."""

import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from peewee import SqliteDatabase

from blinkd.attendance.supervisor import words
from blinkd.errors import NotAllowed, OperatorRefused, UnknownOperator
from blinkd.store.outbox import Guard

Role = Literal["supervisor", "hr", "technician"]
ROLES: tuple[Role, ...] = get_args(Role)
LONGEST_NAME = 60  # characters
MOST = 200  # operators of one terminal, those who have left among them

COLUMNS = """SELECT id, name, password, temporary, disabled, created_at,
    (SELECT group_concat(role) FROM operator_roles WHERE operator = operators.id) FROM operators"""


@dataclass(frozen=True, slots=True)
class Operator:
    """id: never given again. temporary: somebody else has chosen the password. created_at: ISO 8601, UTC."""

    id: int
    name: str
    roles: frozenset[Role]
    temporary: bool
    disabled: bool
    created_at: str


class OperatorRepository:
    """Operators by their name. A change of password, roles or right ends all of somebody's sessions in the same transaction."""

    def __init__(self, database: SqliteDatabase, guard: Guard, reading: Guard) -> None:
        self._database = database
        self._guard = guard
        self._reading = reading

    def all(self) -> list[Operator]:
        """In the order of their names."""
        with self._reading():
            return [_operator(row)[0] for row in self._database.execute_sql(f"{COLUMNS} ORDER BY known_as").fetchall()]

    def any(self) -> bool:
        """Whether there is one; none means that nobody has set the terminal up."""
        with self._reading():
            return self._database.execute_sql("SELECT 1 FROM operators LIMIT 1").fetchone() is not None

    def by_id(self, operator_id: int) -> Operator | None:
        """By number."""
        with self._reading():
            row = self._database.execute_sql(f"{COLUMNS} WHERE id = ?", (operator_id,)).fetchone()
        return None if row is None else _operator(row)[0]

    def find(self, name: str) -> tuple[Operator, str] | None:
        """By name, however it was typed, with the hash of the password."""
        with self._reading():
            row = self._database.execute_sql(f"{COLUMNS} WHERE known_as = ?", (known_as(name),)).fetchone()
        return None if row is None else _operator(row)

    def named(self, name: str) -> Operator:
        """By name. Raises UnknownOperator."""
        if (found := self.find(name)) is None:
            raise UnknownOperator(f"there is no operator {name[:LONGEST_NAME]!r}; `blinkd web operators list` shows them")
        return found[0]

    def add(self, name: str, roles: Iterable[Role], password: str, at: datetime, *, temporary: bool, first: bool = False) -> Operator:
        """Take somebody in. password: its hash; first: only while there is nobody. Raises OperatorRefused, StoreError."""
        try:
            shown = words(name, "name", LONGEST_NAME)
        except NotAllowed as error:
            raise OperatorRefused(str(error)) from None
        wanted = _some(roles)
        with self._guard():
            count = int(self._database.execute_sql("SELECT count(*) FROM operators").fetchone()[0])
            if first and count:
                raise OperatorRefused("the terminal has an operator already; log in, or use `sudo blinkd web operators reset NAME`")
            if count >= MOST:
                raise OperatorRefused(f"there are {MOST} operators already; give one who has left back to use instead")
            if self.find(shown) is not None:
                raise OperatorRefused(f"there is an operator {shown!r} already; take another name, or give the old one a new password")
            cursor = self._database.execute_sql(
                "INSERT INTO operators (name, known_as, password, temporary, created_at) VALUES (?, ?, ?, ?, ?)",
                (shown, known_as(shown), password, int(temporary), at.isoformat(timespec="seconds")),
            )
            self._put_roles(int(cursor.lastrowid), wanted)
        return self.named(shown)

    def set_password(self, operator_id: int, password: str, *, temporary: bool) -> None:
        """A new hash; whoever was disabled may come in again only by `enable`."""
        with self._guard():
            self._database.execute_sql(
                "UPDATE operators SET password = ?, temporary = ? WHERE id = ?", (password, int(temporary), operator_id)
            )
            self._end_sessions(operator_id)

    def rehash(self, operator_id: int, old: str, new: str) -> None:
        """The same password hashed anew: nobody is signed out. Nothing happens where it was changed meanwhile."""
        with self._guard():
            self._database.execute_sql("UPDATE operators SET password = ? WHERE id = ? AND password = ?", (new, operator_id, old))

    def set_roles(self, operator_id: int, roles: Iterable[Role]) -> None:
        """In the place of those that there were. Raises OperatorRefused for none, and where no supervisor would be left."""
        wanted = _some(roles)
        with self._guard(), self._keeping_a_supervisor():
            self._database.execute_sql("DELETE FROM operator_roles WHERE operator = ?", (operator_id,))
            self._put_roles(operator_id, wanted)
            self._end_sessions(operator_id)

    def set_disabled(self, operator_id: int, disabled: bool) -> None:
        """Shut out, or let in again. Raises OperatorRefused where no supervisor would be left."""
        with self._guard(), self._keeping_a_supervisor():
            self._database.execute_sql("UPDATE operators SET disabled = ? WHERE id = ?", (int(disabled), operator_id))
            self._end_sessions(operator_id)

    def _put_roles(self, operator_id: int, roles: Iterable[Role]) -> None:
        for role in roles:
            self._database.execute_sql("INSERT INTO operator_roles VALUES (?, ?)", (operator_id, role))

    def _end_sessions(self, operator_id: int) -> None:
        self._database.execute_sql("DELETE FROM web_sessions WHERE operator = ?", (operator_id,))

    @contextmanager
    def _keeping_a_supervisor(self) -> Iterator[None]:
        """Without one nobody but root could take anybody in again."""
        before = self._has_supervisor()
        yield
        if before and not self._has_supervisor():
            raise OperatorRefused("no supervisor would be left; make somebody else a supervisor first")

    def _has_supervisor(self) -> bool:
        sql = "SELECT 1 FROM operators JOIN operator_roles ON operator = id WHERE NOT disabled AND role = 'supervisor' LIMIT 1"
        return self._database.execute_sql(sql).fetchone() is not None


def known_as(name: str) -> str:
    """A name as it is compared: the same letters typed on another keyboard, with capitals or without, are the same name."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _some(roles: Iterable[Role]) -> list[Role]:
    wanted = sorted(set(roles))
    if not wanted:
        raise OperatorRefused(f"an operator needs a role: {', '.join(ROLES)}")
    if strange := set(wanted) - set(ROLES):
        raise OperatorRefused(f"{', '.join(sorted(strange))[:80]}: no such role; there are {', '.join(ROLES)}")
    return wanted


def _operator(row: Any) -> tuple[Operator, str]:  # noqa: ANN401
    number, name, password, temporary, disabled, created_at, roles = row
    held = frozenset(role for role in ROLES if role in str(roles or "").split(","))
    return Operator(int(number), str(name), held, bool(temporary), bool(disabled), str(created_at)), str(password)
