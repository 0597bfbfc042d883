"""What the HTTP API keeps of its own: tokens, and the records in clear of mobile clients."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from blinkd.errors import UnknownToken
from blinkd.relay.api.origin import MobilePunch, MobileUser
from blinkd.relay.api.tokens import Scope, Token, revoked
from blinkd.relay.connections import Connections, Cursor

COLUMNS_OF_TOKENS = "id, org, label, digest, scopes, created_at, expires_at, revoked_at, used_on"
COLUMNS_OF_USERS = "id, name, envelope, model_mode, enrolled_at, status"


class ApiStorage:
    """The tables api_tokens, mobile_users and mobile_attendance. Every method raises StoreError when the database is away."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._mark = connections.mark

    @property
    def connections(self) -> Connections:
        """The database."""
        return self._connections

    def ping(self) -> None:
        """Whether the database answers. Raises StoreError."""
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()

    def add_token(self, token: Token) -> None:
        """Keep a new one."""
        row = (
            token.id,
            token.org,
            token.label,
            token.digest,
            " ".join(sorted(token.scopes)),
            _text(token.created_at),
            _text(token.expires_at),
            _text(token.revoked_at),
            token.used_on,
        )
        with self._connections.transaction() as cursor:
            cursor.execute(self._sql(f"INSERT INTO api_tokens ({COLUMNS_OF_TOKENS}) VALUES ({_marks(9)})"), row)

    def token(self, token_id: str) -> Token | None:
        """The token of this id."""
        with self._connections.transaction(reading=True) as cursor:
            return self._token(cursor, token_id)

    def tokens(self, org: str | None = None) -> list[Token]:
        """All, or those of an organisation, oldest first."""
        where, values = ("", ()) if org is None else (" WHERE org = ?", (org,))
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(self._sql(f"SELECT {COLUMNS_OF_TOKENS} FROM api_tokens{where} ORDER BY created_at, id"), values)
            return [_token(row) for row in cursor.fetchall()]

    def revoke(self, token_id: str, now: datetime) -> Token:
        """Make a token useless, at once and for good. Raises UnknownToken."""
        with self._connections.transaction() as cursor:
            token = self._token(cursor, token_id)
            if token is None:
                raise UnknownToken(f"no token has the id {token_id!r}; `blinkd relay token list` shows them")
            token = revoked(token, now)
            cursor.execute(self._sql("UPDATE api_tokens SET revoked_at = ? WHERE id = ?"), (_text(token.revoked_at), token_id))
        return token

    def used(self, token: Token, now: datetime) -> None:
        """Remember the day: by it an operator finds the tokens that nobody needs. Writes once a day and token."""
        today = now.astimezone(UTC).date().isoformat()
        if token.used_on == today:
            return
        with self._connections.transaction() as cursor:
            cursor.execute(self._sql("UPDATE api_tokens SET used_on = ? WHERE id = ?"), (today, token.id))

    def put_users(self, org: str, token_id: str, users: Iterable[MobileUser]) -> None:
        """Insert, or replace by id, in one transaction; the time of enrolment stays the first one, as in the origin."""
        statement = f"""INSERT INTO mobile_users (org, token, {COLUMNS_OF_USERS}) VALUES ({_marks(8)})
            ON CONFLICT (org, id) DO UPDATE SET token = excluded.token, name = excluded.name, envelope = excluded.envelope,
            model_mode = excluded.model_mode, status = excluded.status"""
        rows = [
            (org, token_id, one.id, one.name, _json(one.envelope), one.model_mode, one.enrolled_at, one.status)
            for one in sorted(users, key=lambda one: one.id)  # in one order, so that two batches never wait for each other in a circle
        ]
        with self._connections.transaction() as cursor:
            cursor.executemany(self._sql(statement), rows)

    def users(self, org: str, after: str, limit: int) -> list[MobileUser]:
        """Users of an organisation in the order of their ids, from the one behind `after`."""
        statement = f"SELECT {COLUMNS_OF_USERS} FROM mobile_users WHERE org = ? AND id > ? ORDER BY id LIMIT ?"
        with self._connections.transaction(reading=True) as cursor:
            cursor.execute(self._sql(statement), (org, after, limit))
            return [MobileUser(row[0], row[1], None if row[2] is None else json.loads(row[2]), *row[3:]) for row in cursor.fetchall()]

    def put_attendance(self, org: str, token_id: str, punches: Iterable[MobilePunch]) -> None:
        """Insert, or replace by id, in one transaction."""
        statement = f"""INSERT INTO mobile_attendance (org, token, id, person_id, timestamp, status, punctuality) VALUES ({_marks(7)})
            ON CONFLICT (org, id) DO UPDATE SET token = excluded.token, person_id = excluded.person_id, timestamp = excluded.timestamp,
            status = excluded.status, punctuality = excluded.punctuality"""
        rows = [
            (org, token_id, one.id, one.person_id, one.timestamp, one.status, one.punctuality)
            for one in sorted(punches, key=lambda one: one.id)
        ]
        with self._connections.transaction() as cursor:
            cursor.executemany(self._sql(statement), rows)

    def _token(self, cursor: Cursor, token_id: str) -> Token | None:
        cursor.execute(self._sql(f"SELECT {COLUMNS_OF_TOKENS} FROM api_tokens WHERE id = ?"), (token_id,))
        row = cursor.fetchone()
        return None if row is None else _token(row)

    def _sql(self, statement: str) -> str:
        return statement.replace("?", self._mark)


def _token(row: Sequence[Any]) -> Token:
    id_, org, label, digest, scopes, created, expires, revoked_at, used_on = row
    created_at = datetime.fromisoformat(created)
    return Token(
        id_, org, label, bytes(digest), frozenset(map(Scope, scopes.split())), created_at, _time(expires), _time(revoked_at), used_on
    )


def _marks(number: int) -> str:
    return ", ".join("?" * number)


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _json(value: object) -> str | None:
    return None if value is None else json.dumps(value, separators=(",", ":"))
