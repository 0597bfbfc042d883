"""What the two kinds of uploads have in common."""

from collections.abc import Iterable
from typing import Any, Protocol, TypeVar

from blinkd.errors import RequestRefused
from blinkd.relay.api.options import ApiOptions
from blinkd.relay.api.tokens import Token
from blinkd.sync.messages import MOST, Receipt
from blinkd.sync.wire import load


class _Record(Protocol):
    @property
    def id(self) -> str:
        """Of the record."""


R = TypeVar("R", bound=_Record)


def demand_plain_records(options: ApiOptions) -> None:
    """Raises RequestRefused (403) where the operator has not switched clear records on."""
    if not options.plain_records:
        raise RequestRefused(
            403,
            "plain_records_off",
            "this relay takes no names, ids and times in clear; send sealed messages, or let its operator set relay.plain_records = true",
        )


def demand_organisation(token: Token, org: str) -> None:
    """Raises RequestRefused (403) for a message of another organisation than the token's."""
    if org != token.org:
        raise RequestRefused(403, "other_organisation", "the message is of another organisation than the token")


def demand_number(records: list[Any]) -> None:
    """Raises RequestRefused (413) for more records than a message may have."""
    if len(records) > MOST:
        raise RequestRefused(413, "too_large", f"{len(records)} records; send {MOST} at most at a time")


def one_each(records: Iterable[R]) -> list[R]:
    """The records by id, in their order; of several with one id the last, which would have replaced the others."""
    found: dict[str, R] = {}
    for record in records:
        found[record.id] = record
    return list(found.values())


def synced(ids: list[str], receipt: Receipt | None = None) -> dict[str, Any]:
    """The origin's answer; for sealed messages with the relay's receipt beside it."""
    answer: dict[str, Any] = {"success": True, "synced_count": len(ids), "synced_ids": ids}
    return answer if receipt is None else answer | {"receipt": load(receipt.to_bytes())}
